"""All findings are reported together, up to a limit."""

import pytest

from fer_models.errors import DataError
from fer_models.ingest.findings import MAX_SHOWN, Findings, raise_if_bad


def with_rows(count: int) -> Findings:
    findings = Findings("a.csv")
    for row in reversed(range(count)):
        findings.add_bad_row(row, f"row {row}", ["one", "two"], has_image=True)
    return findings


@pytest.mark.parametrize("count", [1, MAX_SHOWN, MAX_SHOWN + 1])
def test_up_to_the_limit_rows_are_listed_in_order(count: int) -> None:
    lines = with_rows(count).lines(with_rows=True)
    shown = [f"a.csv, row {row}: one; two" for row in range(min(count, MAX_SHOWN))]
    more = [f"a.csv: and {count - MAX_SHOWN} more like these"] if count > MAX_SHOWN else []
    assert lines == shown + more


def test_bad_rows_are_an_error_unless_quarantined() -> None:
    raise_if_bad([with_rows(2)], quarantine_bad_rows=True)
    with pytest.raises(DataError, match=r"2 problems.*quarantine_bad_rows=true") as caught:
        raise_if_bad([with_rows(2)], quarantine_bad_rows=False)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("quarantine", [False, True])
def test_faults_are_an_error_in_any_case(quarantine: bool) -> None:
    findings = with_rows(1)
    findings.add_fault("damaged")
    with pytest.raises(DataError) as caught:
        raise_if_bad([Findings("b.csv"), findings], quarantine)
    assert caught.value.problems[0] == "a.csv: damaged"
    assert len(caught.value.problems) == (1 if quarantine else 2)
    assert ("1 problem;" in caught.value.message) == quarantine


def test_no_findings_are_no_error() -> None:
    raise_if_bad([], False)
    raise_if_bad([Findings("a.csv")], False)


def test_control_characters_are_escaped() -> None:
    findings = Findings("a\x1b[2J.csv")
    findings.add_fault("damaged")
    assert findings.lines(with_rows=False) == ["a\\x1b[2J.csv: damaged"]
