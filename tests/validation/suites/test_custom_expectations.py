"""Expectations of one's own come from a file, and all that is wrong with it is told at once."""

import json
import re
from pathlib import Path

import pytest

from fer_models.errors import ConfigError
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.validation.snapshots import sound_draft
from validation.checks import CheckResult
from validation.config import ValidationConfig
from validation.gate import settings_content, validate_snapshot
from validation.settings import checks_for
from validation.tables import COLUMNS, build_tables

DOCS = Path(__file__).parents[3] / "docs" / "validation.md"


def _file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "own expectations.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def _own_results(tmp_path: Path, text: str) -> dict[str, CheckResult]:
    """Only the user's own checks, on the sound snapshot."""
    from validation.runner import evaluate

    config = ValidationConfig(expectations_file=_file(tmp_path, text))
    own = [check for check in checks_for(config) if check.topic == "own"]
    results = evaluate(build_tables(sound_draft().snapshot()), own).results
    return {result.check: result for result in results}


def _faults(tmp_path: Path, text: str) -> list[str]:
    file = _file(tmp_path, text)
    with pytest.raises(ConfigError) as told:
        checks_for(ValidationConfig(expectations_file=file))
    assert told.value.exit_code == 2
    return [problem.replace(f"{file}, expectation ", "") for problem in told.value.problems]


def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    results = _own_results(tmp_path, found.group(1))
    assert len(results) >= 3
    assert all("could not be made" not in result.observed for result in results.values())


def test_both_spellings_severities_and_words(tmp_path: Path) -> None:
    results = _own_results(
        tmp_path,
        """
- {table: kept, expect: ExpectColumnMeanToBeBetween, kwargs: {column: mean, max_value: 100}}
- table: images
  expect: expect_column_distinct_values_to_equal_set
  kwargs: {column: source, value_set: [foot]}
  severity: warning
  name: known_sources
  expected: only the source foot
  remedy: walk
- table: classes
  expect: expect_column_values_to_be_between
  kwargs: {column: images, min_value: 31}
- table: kept
  expect: expect_column_values_to_match_regex
  kwargs: {column: image_id, regex: "^hand:[1-9]", mostly: 0.9}
- table: kept
  expect: expect_column_values_to_be_between
  kwargs: {column: mean, min_value: 127, row_condition: nope > 3}
  name: odd
""",
    )
    mean = results["kept_mean_column_mean_to_be_between"]
    assert (mean.passed, mean.severity, mean.observed) == (False, "error", "127.489")
    assert (
        mean.expected == "expect_column_mean_to_be_between: column mean, max_value 100 (table kept)"
    )
    sources = results["known_sources"]
    assert (sources.severity, sources.expected, sources.remedy) == (
        "warning",
        "only the source foot",
        "walk",
    )
    assert sources.observed == "not expected: hand; missing: foot"
    assert results["classes_images_column_values_to_be_between"].observed.startswith("angry 30, ")
    ids = results["kept_image_id_column_values_to_match_regex"]
    assert (ids.passed, ids.num_unexpected, ids.examples) == (True, 1, ("hand:0",))
    assert results["odd"].observed == "the check could not be made: name 'nope' is not defined"


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    faults = _faults(
        tmp_path,
        """
- {table: keptt, expect: expect_column_mean_to_be_betwen, kwargs: {column: mean}}
- table: kept
  expect: ExpectColumnMeanToBeBetween
  kwargs: {column: maen, min_valu: 3, max_value: x}
- {table: kept, expect: expect_column_to_exist, kwargs: {column: row}, name: exact_copies}
- {table: kept, expect: expect_column_to_exist, kwargs: {column: row}, severity: fatal}
- just text
- {tabel: kept, name: "two words", kwargs: [1]}
- {table: drift, expect: UnexpectedRowsExpectation}
""",
    )
    expected = [
        "1: table 'keptt': unknown; did you mean kept?",
        "1: expect 'expect_column_mean_to_be_betwen': unknown; did you mean expect_column_mean_to_",
        "2: column of table kept 'maen': unknown; did you mean mean",
        "2: argument of ExpectColumnMeanToBeBetween 'min_valu': unknown; did you mean min_value",
        "2: ExpectColumnMeanToBeBetween, argument max_value: value is not a valid float",
        "3: name 'exact_copies': another check has it",
        "4: severity 'fatal': unknown; known: error, warning",
        "5: expected keys (table, expect",
        "6: key 'tabel': unknown; did you mean table?",
        "6: name 'two words': expected 1 to 80 letters",
        "6: table: missing; one of images, kept",
        "6: kwargs: expected key: value pairs, got a list ([1])",
        "7: table 'drift': unknown",
        "7: expect 'UnexpectedRowsExpectation': unknown",
    ]
    assert len(faults) == len(expected)
    for fault, start in zip(faults, expected, strict=True):
        assert fault.startswith(start)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,", "can't be read as YAML"),
        ("", "expected a list of expectations, got nothing"),
        ("table: kept", "expected a list of expectations, got a dict"),
    ],
)
def test_a_file_that_is_no_list(tmp_path: Path, text: str, message: str) -> None:
    (fault,) = _faults(tmp_path, text)
    assert message in fault


def test_a_file_that_is_not_there_is_told_before_the_snapshot_is_opened(
    store: ArtifactStore, tmp_path: Path
) -> None:
    config = ValidationConfig(expectations_file=str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match=r"absent\.yaml: can't be read: No such file"):
        validate_snapshot(store, SnapshotRef(id="absent", url=""), config)


def test_what_the_file_says_is_part_of_the_cache_key(tmp_path: Path) -> None:
    from tasks.stage import stage_key
    from tasks.validate import _content_of_settings

    def key(text: str) -> str:
        parameters = {"config": ValidationConfig(expectations_file=_file(tmp_path, text))}
        return stage_key("validate", "validation.checks", parameters, _content_of_settings)

    assert key("- a") == key("- a")
    assert key("- a") != key("- b")
    assert settings_content(ValidationConfig(expectations_file="absent")) == ""


def test_the_tables_hold_what_is_promised() -> None:
    from validation.drift.checks import drift_table
    from validation.drift.reference import sample_of

    snapshot = sound_draft().snapshot()
    sample = sample_of(snapshot)
    tables = build_tables(snapshot) | {"drift": drift_table(sample, sample)}
    assert {name: set(table.columns) for name, table in tables.items()} == {
        name: set(columns) for name, columns in COLUMNS.items()
    }


def test_all_tables_and_columns_are_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name, columns in COLUMNS.items():
        assert f"`{name}`" in text
        for column in columns:
            assert f"`{column}`" in text or column.startswith("votes_"), column


def test_severities_are_changed_by_name(tmp_path: Path) -> None:
    own = "- {table: kept, expect: expect_column_to_exist, kwargs: {column: mean}, name: mine}"
    config = ValidationConfig(
        expectations_file=_file(tmp_path, own),
        severities={"exact_copies": "error", "blank_images": "off", "mine": "warning"},
    )
    checks = {check.name: check.severity for check in checks_for(config)}
    before = {check.name: check.severity for check in checks_for(ValidationConfig())}
    assert checks == {
        **{name: level for name, level in before.items() if name != "blank_images"},
        "exact_copies": "error",
        "mine": "warning",
    }


def test_yamls_off_is_understood() -> None:
    config = ValidationConfig.model_validate({"severities": {"exact_copies": False}})
    assert config.severities == {"exact_copies": "off"}
    with pytest.raises(ValueError, match="'error', 'warning' or 'off'"):
        ValidationConfig.model_validate({"severities": {"exact_copies": True}})
    with pytest.raises(ValueError, match="dictionary"):
        ValidationConfig.model_validate({"severities": "off"})


def test_unknown_names_of_checks_come_with_near_ones() -> None:
    severities = {"exact_copie": "off", "class_share_drift": "off", "zzz": "error"}
    config = ValidationConfig.model_validate({"severities": severities})
    with pytest.raises(ConfigError) as told:
        checks_for(config)
    first, second = told.value.problems
    assert first.endswith("no check 'exact_copie'; did you mean exact_copies or exact_copy_share?")
    assert "no check 'zzz'; known: images_present, " in second


def test_a_record_says_which_expectation_it_was(store: ArtifactStore, tmp_path: Path) -> None:
    results = _own_results(
        tmp_path, "- {table: kept, expect: expect_column_to_exist, kwargs: {column: mean}}"
    )
    record = json.loads(json.dumps(results["kept_mean_column_to_exist"].to_json()))
    assert record["expectation"] == "expect_column_to_exist"
    assert (record["table"], record["kwargs"]) == ("kept", {"column": "mean"})
    assert record["observed"] == "so it is"
