"""The gate stores its results, and lists every reason for a rejection."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fer_models.dataset.snapshot import write_snapshot
from fer_models.errors import GateError, StoreError
from fer_models.ingest.config import DataConfig
from fer_models.progress import Progress, listening
from fer_models.storage.refs import SnapshotRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from tests.validation.snapshots import Draft, valid_draft
from validation.config import ValidationConfig
from validation.gate import enforce_gate, validate_snapshot

REAL_DATA = Path(__file__).parents[3] / "shared" / "data" / "fer2013_train_public.parquet"
KEYS = ["check", "topic", "severity", "passed", "expected", "observed", "examples"]


def _written(store: ArtifactStore, draft: Draft) -> SnapshotRef:
    return write_snapshot(store, draft.table, draft.images, "ingest")


def _faulty_draft() -> Draft:
    """More than ten percent of the test images leak, and one class is too small."""
    draft = valid_draft()
    for source, target in zip(draft.rows("train", 0), draft.rows("test", 0)[:8], strict=False):
        draft.copy_pixels(source, target)
    draft.set("image_id", [draft.rows("test", 0)[0]], "<script>alert('&')</script>")
    draft.set("label", draft.rows("train", 1)[10:], 2)
    draft.describe_pixels()
    return draft


@pytest.fixture
def faulty(store: ArtifactStore) -> ValidationRef:
    return validate_snapshot(store, _written(store, _faulty_draft()), ValidationConfig())


def test_valid_data_passes(store: ArtifactStore) -> None:
    snapshot = _written(store, valid_draft())
    validation = validate_snapshot(store, snapshot, ValidationConfig())
    assert (validation.passed, validation.num_errors, validation.num_warnings) == (True, 0, 0)
    assert store.info(validation) == {
        "snapshot_id": snapshot.id,
        "reference_id": None,
        "passed": True,
        "num_errors": 0,
        "num_warnings": 0,
    }
    enforce_gate(store, validation, ValidationConfig(allow_warnings=False))


def test_failed_checks_are_stored_and_do_not_raise(
    store: ArtifactStore, faulty: ValidationRef
) -> None:
    assert (faulty.passed, faulty.num_errors, faulty.num_warnings) == (False, 2, 2)
    records = store.read_json(faulty, "results.json")
    assert all(list(record)[: len(KEYS)] == KEYS for record in records)
    failed = {record["check"] for record in records if not record["passed"]}
    assert failed == {"exact_copies", "test_in_train", "test_leak_share", "images_per_class"}


def test_the_gate_lists_every_error(store: ArtifactStore, faulty: ValidationRef) -> None:
    with pytest.raises(GateError) as rejection:
        enforce_gate(store, faulty, ValidationConfig())
    assert rejection.value.exit_code == 3
    assert [problem.split(":")[0] for problem in rejection.value.problems] == [
        "error test_leak_share",
        "error images_per_class",
    ]
    assert f"{faulty.url}/report.html" in str(rejection.value)
    assert "got disgust 10; add images of these classes" in str(rejection.value)


def test_warnings_are_rejected_if_not_allowed(store: ArtifactStore, faulty: ValidationRef) -> None:
    with pytest.raises(GateError) as rejection:
        enforce_gate(store, faulty, ValidationConfig(allow_warnings=False))
    assert len(rejection.value.problems) == 4
    assert sum(problem.startswith("warning ") for problem in rejection.value.problems) == 2


def test_validating_the_same_data_again_gives_the_same_artifact(store: ArtifactStore) -> None:
    snapshot = _written(store, valid_draft())
    first, second = (validate_snapshot(store, snapshot, ValidationConfig()) for _ in range(2))
    stricter = validate_snapshot(store, snapshot, ValidationConfig(min_images_per_class=25))
    assert first == second
    assert re.fullmatch("[0-9a-f]{24}", first.id)
    assert stricter.id != first.id


def test_the_prefect_table_starts_with_failed_checks(
    store: ArtifactStore, faulty: ValidationRef
) -> None:
    from tasks.validate import _rows

    rows = _rows(store.read_json(faulty, "results.json"))
    assert [row["result"] for row in rows[:5]] == ["error"] * 2 + ["warning"] * 2 + ["passed"]
    assert rows[0]["examples"].count(",") == 2
    assert rows[0]["what to do"].startswith("re-split")
    assert all(isinstance(value, str) for row in rows for value in row.values())


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_is_self_contained_and_escapes_its_content(
    store: ArtifactStore, faulty: ValidationRef
) -> None:
    page = store.read_file(faulty, "report.html").decode()
    parser = _Links()
    parser.feed(page)
    assert "script" not in parser.tags
    assert "&lt;script&gt;alert(" in page
    assert "rejected" in page
    assert len(parser.links) >= 13
    assert parser.links.pop(0) == "data:,"  # no favicon
    assert parser.links.pop(0) == "data_docs/index.html"
    contents = [link for link in parser.links if link.startswith(("#topic-", "#failed"))]
    assert contents == parser.links[: len(contents)]
    checks = parser.links[len(contents) :]
    assert checks[:2] == ["#test_leak_share", "#images_per_class"]
    assert all(link.startswith("data:image/png;base64,") for link in checks[4:])
    assert "url(" not in page


def test_progress_is_reported(store: ArtifactStore) -> None:
    events: list[Progress] = []
    snapshot = _written(store, valid_draft())
    with listening(events.append):
        validate_snapshot(store, snapshot, ValidationConfig())
    assert (events[0].done, events[-1].done, events[-1].total) == (0, 350, 350)


def test_a_missing_snapshot_is_an_error(store: ArtifactStore) -> None:
    with pytest.raises(StoreError, match="not found"):
        validate_snapshot(store, SnapshotRef(id="absent", url=""), ValidationConfig())


def test_validation_prints_nothing_leaves_no_files_and_imports_lazily(
    store: ArtifactStore, tmp_path: Path
) -> None:
    snapshot = _written(store, valid_draft())
    program = (
        "import sys, json, validation.gate as gate\n"
        "assert 'great_expectations' not in sys.modules\n"
        "from flows.pipeline_config import PipelineConfig\n"
        "from fer_models.storage.config import StoreConfig\n"
        "from fer_models.storage.store import ArtifactStore\n"
        "from fer_models.storage.refs import SnapshotRef\n"
        "store = ArtifactStore(StoreConfig(url=sys.argv[1]))\n"
        "ref = SnapshotRef.model_validate_json(sys.argv[2])\n"
        "found = gate.validate_snapshot(store, ref, PipelineConfig().validation)\n"
        "heavy = {'torch', 'ray', 'prefect', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "print(json.dumps([found.passed, sorted(heavy)]))\n"
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", program, store.url, snapshot.model_dump_json()],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"HOME": str(folder), "TMPDIR": str(folder), "PATH": ""},
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == [True, []]
    assert list(folder.rglob("*")) == []


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.exists(), reason=f"{REAL_DATA.name} is not on this machine")
def test_fer2013_passes_with_warnings(store: ArtifactStore) -> None:
    from fer_models.ingest.ingest import ingest_sources

    snapshot = ingest_sources(store, DataConfig(sources=(str(REAL_DATA),)), 0)
    validation = validate_snapshot(store, snapshot, ValidationConfig())
    records = {r["check"]: r for r in store.read_json(validation, "results.json")}
    enforce_gate(store, validation, ValidationConfig())

    assert validation.passed
    warned = {name for name, record in records.items() if not record["passed"]}
    assert warned >= {"exact_copies", "conflicting_labels", "validation_in_train"}
    assert "class_imbalance" in warned
    assert records["validation_in_train"]["num_unexpected"] == 279
    assert records["class_imbalance"]["observed"] == "16.5482"  # happy 7215, disgust 436
