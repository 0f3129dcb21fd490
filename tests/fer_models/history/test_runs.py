"""Records of runs: complete, never changed, found again, and read with few requests."""

import time
from typing import Any

import pytest

from fer_models.dataset.snapshot import open_snapshot, write_snapshot
from fer_models.errors import StoreError
from fer_models.evaluation.evaluate import read_evaluation
from fer_models.history.build import record_of, refs_in
from fer_models.history.record import RUN_ID, RunRecord, new_run_id
from fer_models.history.runs import find_run, list_runs, record_run
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from tests.fer_models.builders import build_snapshot
from tests.fer_models.history.builders import build_run

START_S = 1_800_000_000.0


def plain(number: int, **fields: Any) -> RunRecord:
    """A small record that started `number` hours after the first."""
    moment = START_S + 3600 * number
    return RunRecord(id=new_run_id(moment), started_s=moment, state="completed", **fields)


def test_ids_sort_by_start_and_differ_within_a_second() -> None:
    ids = [new_run_id(START_S + hours * 3600) for hours in range(48)]
    assert sorted(ids) == ids
    assert all(RUN_ID.fullmatch(run_id) for run_id in ids)
    assert len({new_run_id(START_S) for _ in range(20)}) == 20
    assert new_run_id(1795842724).startswith("20261128T051204Z-")


def test_a_record_holds_all_artifacts_and_the_figures_of_the_candidate(
    store: ArtifactStore,
) -> None:
    built = build_run(store, seed=3, name="first try", overrides=("seed=3",))
    record, trained = built.record, built.outcome.trained
    ids = record.artifacts
    assert ids.models == {model.name: model.id for model in trained.models}
    assert set(ids.ensembles.values()) == {model.id for model in trained.ensemble.ensembles}
    assert ids.evaluations == tuple(one.id for one in trained.evaluations)
    assert (ids.report, ids.promotion) == (built.outcome.run.id, built.outcome.promotion.id)
    candidate = trained.ensemble.candidate
    evaluation = next(one for one in trained.evaluations if one.model_id == candidate.id)
    test = read_evaluation(store, evaluation).splits["test"]
    assert record.headline is not None
    assert record.headline.model_dump() == {
        "candidate": candidate.id,
        "split": "test",
        "n": test.n,
        "accuracy": test.accuracy,
        "low": test.accuracy_low,
        "high": test.accuracy_high,
    }
    assert (record.name, record.recipe, record.seed, record.seconds) == (
        "first try",
        "demo",
        3,
        200,
    )
    assert (record.state, record.promoted) == ("completed", True)
    assert record.message == built.outcome.promotion.reason
    assert record.config == built.config.model_dump(mode="json")
    assert "core" in record.hardware
    assert find_run(store, record.id) == record


def test_the_steps_before_the_split_are_found_by_its_parents(store: ArtifactStore) -> None:
    raw = build_snapshot(store, 60, step="ingest")
    opened = open_snapshot(store, raw)
    clean = write_snapshot(store, opened.manifest, opened.images, "clean", raw)
    split = write_snapshot(store, opened.manifest, opened.images, "split", clean)
    record = record_of(
        store, PipelineConfig(), [split], flow="prepare-data", trigger="cli", started_s=START_S
    )
    assert record.artifacts.snapshots == {"ingest": raw.id, "clean": clean.id, "split": split.id}
    assert record.artifacts.snapshot == split.id
    assert record.headline is None
    assert record.promoted is None


def test_a_failed_run_is_recorded_with_what_it_made(store: ArtifactStore) -> None:
    record = record_of(
        store,
        PipelineConfig(),
        None,
        flow="run-pipeline",
        trigger="schedule",
        started_s=time.time() - 5,
        state="failed",
        message="no images",
    )
    record_run(store, record)
    found = list_runs(store).runs
    assert found == (record,)
    assert (found[0].state, found[0].message, found[0].headline) == ("failed", "no images", None)
    assert found[0].seconds == pytest.approx(5, abs=2)


def test_refs_are_found_in_any_nesting(store: ArtifactStore) -> None:
    outcome = build_run(store).outcome
    ids = [ref.id for ref in refs_in({"one": [outcome], "two": None})]
    assert ids == [ref.id for ref in refs_in(outcome)]
    assert outcome.run.id in ids
    assert len(ids) == 3 + 3 + 1 + 8 + 2


def test_a_record_never_changes(store: ArtifactStore) -> None:
    record = plain(0, name="original")
    record_run(store, record)
    assert record_run(store, record) == record
    with pytest.raises(StoreError, match="found another one"):
        record_run(store, record.model_copy(update={"name": "forged"}))
    assert find_run(store, "latest").name == "original"


def test_runs_are_listed_newest_first_and_a_damaged_record_is_skipped(
    store: ArtifactStore,
) -> None:
    records = [record_run(store, plain(number)) for number in range(4)]
    store.write_bytes(f"history/{records[2].id}.json", b'{"id": "half')
    history = list_runs(store)
    assert [run.id for run in history.runs] == [records[n].id for n in (3, 1, 0)]
    assert len(history.warnings) == 1
    assert records[2].id in history.warnings[0]
    with pytest.raises(StoreError, match="expected the record of a run"):
        find_run(store, records[2].id)


def test_a_record_of_a_newer_version_is_read(store: ArtifactStore) -> None:
    record = plain(0)
    text = record.model_dump_json().replace("{", '{"colour": "blue", ', 1)
    store.write_bytes(f"history/{record.id}.json", text.encode())
    assert list_runs(store).runs == (record,)


def test_a_limited_list_reads_only_these_records(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [record_run(store, plain(number)) for number in range(30)]
    read: list[str] = []
    read_bytes = ArtifactStore.read_bytes

    def counted(self: ArtifactStore, key: str) -> bytes:
        read.append(key)
        return read_bytes(self, key)

    monkeypatch.setattr(ArtifactStore, "read_bytes", counted)
    assert [run.id for run in list_runs(store, limit=2).runs] == [
        records[29].id,
        records[28].id,
    ]
    assert len(read) == 2


def test_a_run_without_a_record_is_listed_from_its_report(store: ArtifactStore) -> None:
    built = build_run(store, seed=5, recorded=False, reported=True)
    (found,) = list_runs(store).runs
    expected = built.record
    assert found.artifacts == expected.artifacts.model_copy(update={"exploration": None})
    assert found.headline == expected.headline
    assert found.config == expected.config
    same = ("name", "recipe", "seed", "data", "state", "promoted", "flow")
    assert {name: getattr(found, name) for name in same} == {
        name: getattr(expected, name) for name in same
    }
    assert (found.id, found.recorded, found.started_s) == (built.outcome.run.id, False, None)
    assert found.ended_s is not None  # from the registry: it became the champion
    assert find_run(store, built.outcome.run.id[:8]) == found
    record_run(store, expected)
    assert list_runs(store).runs == (expected,)


def test_a_run_is_found_by_position_id_report_or_name(store: ArtifactStore) -> None:
    first, second, third = (
        record_run(store, plain(number, name=name))
        for number, name in enumerate(("baseline", "wider", "wider"))
    )
    assert find_run(store, "latest") == third
    assert find_run(store, "latest~2") == first
    assert find_run(store, first.id[:11]) == first
    assert find_run(store, "baseline") == first
    assert find_run(store, second.id) == second


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wider", r"2 runs match 'wider'; use a longer"),
        ("2027", r"3 runs match '2027'"),
        ("nothing", r"no run has the name 'nothing'.*available: .*\(wider\)"),
        ("", r"no run has the name ''"),
        ("latest~7", r"there is no run latest~7; available"),
    ],
)
def test_an_unclear_name_lists_the_candidates(
    store: ArtifactStore, text: str, message: str
) -> None:
    for number, name in enumerate(("baseline", "wider", "wider")):
        record_run(store, plain(number, name=name))
    with pytest.raises(StoreError, match=message):
        find_run(store, text)


def test_an_empty_store_says_how_to_start(store: ArtifactStore) -> None:
    assert list_runs(store).runs == ()
    with pytest.raises(StoreError, match="no runs yet: start one with `ferflow run`"):
        find_run(store, "latest")


@pytest.mark.s3
def test_the_history_of_a_bucket_is_that_of_a_folder(s3_store_url: str) -> None:
    bucket = ArtifactStore(StoreConfig(url=s3_store_url))
    assert list_runs(bucket).runs == ()
    records = [record_run(bucket, plain(number, name=f"run {number}")) for number in range(5)]
    assert list_runs(bucket).runs == tuple(reversed(records))
    with pytest.raises(StoreError, match="found another one"):
        record_run(bucket, records[0].model_copy(update={"name": "forged"}))
    assert find_run(bucket, "run 3") == records[3]
