"""Custom expectations come from a file, and all its problems are reported together."""

import json
import re
from pathlib import Path

import pytest

from fer_models.errors import ConfigError
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.validation.snapshots import valid_draft
from validation.checks import CheckResult
from validation.config import ValidationConfig
from validation.gate import settings_content, validate_snapshot
from validation.settings import checks_for
from validation.tables import COLUMNS, build_tables

DOCS = Path(__file__).parents[3] / "docs" / "validation.md"


def _file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "custom expectations.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def _custom_results(tmp_path: Path, text: str) -> dict[str, CheckResult]:
    """The results of the custom checks on the valid snapshot."""
    from validation.runner import evaluate

    config = ValidationConfig(expectations_file=_file(tmp_path, text))
    custom = [check for check in checks_for(config) if check.topic == "custom"]
    results = evaluate(build_tables(valid_draft().snapshot()), custom).results
    return {result.check: result for result in results}


def _problems(tmp_path: Path, text: str) -> list[str]:
    file = _file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        checks_for(ValidationConfig(expectations_file=file))
    assert caught.value.exit_code == 2
    return [problem.replace(f"{file}, expectation ", "") for problem in caught.value.problems]


def test_the_documented_example_runs(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    results = _custom_results(tmp_path, found.group(1))
    assert len(results) >= 3
    assert all("could not run" not in result.observed for result in results.values())


def test_both_spellings_severities_and_texts(tmp_path: Path) -> None:
    results = _custom_results(
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
  kwargs: {column: mean, min_value: 127, row_condition: split == "train" and not is_copy}
  name: some_rows
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
    assert sources.observed == "unexpected: hand; missing: foot"
    assert results["classes_images_column_values_to_be_between"].observed.startswith("angry 30, ")
    ids = results["kept_image_id_column_values_to_match_regex"]
    assert (ids.passed, ids.num_unexpected, ids.examples) == (True, 1, ("hand:0",))
    assert "could not run" not in results["some_rows"].observed


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    problems = _problems(
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
- table: kept
  expect: ExpectColumnMeanToBeBetween
  kwargs: {column: mean, max_value: 3, row_condition: nope > 3}
""",
    )
    expected = [
        "1: table 'keptt': unknown; did you mean kept?",
        "1: expect 'expect_column_mean_to_be_betwen': unknown; did you mean expect_column_mean_to_",
        "2: column of table kept 'maen': unknown; did you mean mean",
        "2: argument of ExpectColumnMeanToBeBetween 'min_valu': unknown; did you mean min_value",
        "2: ExpectColumnMeanToBeBetween, argument max_value: value is not a valid float",
        "3: name 'exact_copies': already in use",
        "4: severity 'fatal': unknown; known: error, warning",
        "5: expected keys (table, expect",
        "6: key 'tabel': unknown; did you mean table?",
        "6: name 'two words': expected 1 to 80 letters",
        "6: table: missing; one of images, kept",
        "6: kwargs: expected key: value pairs, got a list ([1])",
        "7: table 'drift': unknown",
        "7: expect 'UnexpectedRowsExpectation': unknown",
        "8: ExpectColumnMeanToBeBetween, argument row_condition: unknown column 'nope'; known: ",
    ]
    assert len(problems) == len(expected)
    for problem, start in zip(problems, expected, strict=True):
        assert problem.startswith(start)


def test_a_condition_never_runs_code(tmp_path: Path) -> None:
    """Each of these made a file, when pandas' query engine evaluated it."""
    target = tmp_path / "made"
    shell = f"@pd.io.common.os.system('touch {target}') == 0"
    for condition in (
        json.dumps(shell),
        json.dumps({"type": "pass_through", "pass_through_filter": shell}),
    ):
        problems = _problems(
            tmp_path,
            "- {table: kept, expect: expect_column_mean_to_be_between, "
            f"kwargs: {{column: mean, max_value: 300, row_condition: {condition}}}}}",
        )
        assert "argument row_condition: expected comparisons of a column" in problems[0]
    assert not target.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,", "can't be read as YAML"),
        ("", "expected a list of expectations, got nothing"),
        ("table: kept", "expected a list of expectations, got a dict"),
    ],
)
def test_a_file_without_a_list_is_rejected(tmp_path: Path, text: str, message: str) -> None:
    (problem,) = _problems(tmp_path, text)
    assert message in problem


def test_a_missing_file_is_reported_before_the_snapshot_is_opened(
    store: ArtifactStore, tmp_path: Path
) -> None:
    config = ValidationConfig(expectations_file=str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match=r"absent\.yaml: can't be read: No such file"):
        validate_snapshot(store, SnapshotRef(id="absent", url=""), config)


def test_the_content_of_the_file_is_fingerprinted(tmp_path: Path) -> None:
    def content(text: str) -> str:
        return settings_content(ValidationConfig(expectations_file=_file(tmp_path, text)))

    assert content("- a") == content("- a")
    assert content("- a") != content("- b")
    assert settings_content(ValidationConfig(expectations_file="absent")) == ""


def test_the_tables_have_the_declared_columns() -> None:
    from validation.drift.checks import drift_table
    from validation.drift.reference import sample_of

    snapshot = valid_draft().snapshot()
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


def test_severities_are_overridden_by_name(tmp_path: Path) -> None:
    text = "- {table: kept, expect: expect_column_to_exist, kwargs: {column: mean}, name: mine}"
    config = ValidationConfig(
        expectations_file=_file(tmp_path, text),
        severities={"exact_copies": "error", "blank_images": "off", "mine": "warning"},
    )
    checks = {check.name: check.severity for check in checks_for(config)}
    before = {check.name: check.severity for check in checks_for(ValidationConfig())}
    assert checks == {
        **{name: level for name, level in before.items() if name != "blank_images"},
        "exact_copies": "error",
        "mine": "warning",
    }


def test_a_bare_off_in_yaml_is_accepted() -> None:
    config = ValidationConfig.model_validate({"severities": {"exact_copies": False}})
    assert config.severities == {"exact_copies": "off"}
    with pytest.raises(ValueError, match="'error', 'warning' or 'off'"):
        ValidationConfig.model_validate({"severities": {"exact_copies": True}})
    with pytest.raises(ValueError, match="dictionary"):
        ValidationConfig.model_validate({"severities": "off"})


def test_unknown_check_names_come_with_suggestions() -> None:
    severities = {"exact_copie": "off", "class_share_drift": "off", "zzz": "error"}
    config = ValidationConfig.model_validate({"severities": severities})
    with pytest.raises(ConfigError) as caught:
        checks_for(config)
    first, second = caught.value.problems
    assert first.endswith("no check 'exact_copie'; did you mean exact_copies or exact_copy_share?")
    assert "no check 'zzz'; known: images_present, " in second


def test_a_record_names_its_expectation(store: ArtifactStore, tmp_path: Path) -> None:
    results = _custom_results(
        tmp_path, "- {table: kept, expect: expect_column_to_exist, kwargs: {column: mean}}"
    )
    record = json.loads(json.dumps(results["kept_mean_column_to_exist"].to_json()))
    assert record["expectation"] == "expect_column_to_exist"
    assert (record["table"], record["kwargs"]) == ("kept", {"column": "mean"})
    assert record["observed"] == "passed"
