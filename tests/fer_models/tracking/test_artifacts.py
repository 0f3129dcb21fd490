"""Models, datasets and reports in the files of offline runs, as `wandb sync` would send them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer_models.progress import Progress, listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, RunRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking import background
from fer_models.tracking.artifacts import describe
from fer_models.tracking.config import TrackingConfig, Uploaded
from fer_models.tracking.outcome import link_champion, track_report
from fer_models.tracking.track import track_run
from tests.fer_models.inference.builders import stored_ensemble, stored_network
from tests.fer_models.tracking.run_file import entries_of, logged_artifacts


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(tmp_path / "a store")))


@pytest.fixture
def model(store: ArtifactStore) -> ModelRef:
    return stored_network(store)


def snapshot_of(store: ArtifactStore, model: ModelRef) -> SnapshotRef:
    return store.ref(SnapshotRef, store.info(model)["snapshot_id"])


def report_of(store: ArtifactStore) -> RunRef:
    files = {"report.html": b"<p>a face</p>", "lineage.json": b'{"name": "my recipe"}'}
    return store.put(RunRef, "a-run", files, {}, report_url=f"{store.url}/runs/a-run/report.html")


def offline(tmp_path: Path, *upload: Uploaded, **changes: Any) -> TrackingConfig:
    return TrackingConfig(mode="offline", folder=str(tmp_path / "w"), upload=upload, **changes)


def test_a_training_uses_its_dataset_and_makes_its_model(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    snapshot = snapshot_of(store, model)
    with track_run(offline(tmp_path), "small", {}, store, "train") as run:
        run.used(snapshot)
        run.log({"loss": 1.0}, step=1)
        run.made(model)
        run.made(model)  # by another node after a loss
    artifacts = logged_artifacts(tmp_path / "w")
    assert [*artifacts] == ["dataset", "model-small"]
    dataset, network = artifacts["dataset"], artifacts["model-small"]
    assert (dataset.type, dataset.use_after_commit) == ("dataset", True)
    assert (network.type, network.use_after_commit) == ("model", False)
    facts = json.loads(dataset.metadata)
    assert facts["id"] == snapshot.id
    assert facts["url"] == snapshot.url
    assert facts["kept"]["validation"]["happy"] == 6
    assert json.loads(network.metadata)["snapshot_id"] == snapshot.id


def test_files_of_the_store_are_referred_to_and_texts_are_part_of_the_artifact(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    with track_run(offline(tmp_path), "small", {}, store) as run:
        run.made(model)
    entries = entries_of(logged_artifacts(tmp_path / "w")["model-small"])
    assert {*entries} == {"artifact.json", *store.describe(model).files}
    weights = entries["weights.safetensors"]
    assert not weights.local_path
    assert weights.ref == store.fetch(model, "weights.safetensors").as_uri()
    assert Path(entries["config.json"].local_path).read_bytes() == store.read_file(
        model, "config.json"
    )
    described = json.loads(Path(entries["artifact.json"].local_path).read_text())
    content = store.read_file(model, "weights.safetensors")
    sha256 = described["files"]["weights.safetensors"]["sha256"]
    assert sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("upload", [(), ("dataset", "report")])
def test_pixels_are_part_of_an_artifact_only_if_asked_for(
    tmp_path: Path, store: ArtifactStore, model: ModelRef, upload: tuple[Uploaded, ...]
) -> None:
    snapshot, report = snapshot_of(store, model), report_of(store)
    with track_run(offline(tmp_path, *upload), "small", {}, store) as run:
        run.used(snapshot)
        run.made(report)
    artifacts = logged_artifacts(tmp_path / "w")
    images = entries_of(artifacts["dataset"])["images.npy"]
    page = entries_of(artifacts["report-my-recipe"])["report.html"]
    assert [bool(one.local_path) for one in (images, page)] == [bool(upload)] * 2
    assert [bool(one.ref) for one in (images, page)] == [not upload] * 2


def test_the_same_content_is_the_same_version_and_other_content_another(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    digests = []
    for number, one in enumerate([model, model, stored_network(store, seed=1)]):
        config = offline(tmp_path / str(number))
        with track_run(config, "small", {}, store) as run:
            run.made(one)
        digests.append(logged_artifacts(tmp_path / str(number))["model-small"].digest)
    assert digests[0] == digests[1] != digests[2]


def test_files_in_a_bucket_are_referred_to_without_asking_it(
    tmp_path: Path, store: ArtifactStore, model: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = describe(store, model, offline(tmp_path))
    elsewhere = {
        name: replace(reference, uri=f"s3://bucket/{name}")
        for name, reference in described.references.items()
    }
    in_bucket = replace(described, references=elsewhere)
    monkeypatch.setattr(background, "describe", lambda *_: in_bucket)
    with track_run(offline(tmp_path), "small", {}, store) as run:
        run.made(model)
    entries = entries_of(logged_artifacts(tmp_path / "w")["model-small"])
    weights = entries["weights.safetensors"]
    assert weights.ref == "s3://bucket/weights.safetensors"
    assert weights.digest == store.describe(model).files["weights.safetensors"].sha256


def test_artifacts_can_be_switched_off(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    with track_run(offline(tmp_path, artifacts=False), "small", {}, store) as run:
        run.made(model)
    assert logged_artifacts(tmp_path / "w") == {}


def test_an_artifact_that_cannot_be_logged_is_a_warning_and_the_run_goes_on(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    events: list[Progress] = []
    with (
        listening(events.append),
        track_run(offline(tmp_path), "small", {}, store) as run,
    ):
        run.used(store.ref(SnapshotRef, "gone"))
        run.made(model)
    [warning] = [event.note for event in events if event.is_warning]
    assert "run small can't log datasets/gone" in warning
    assert [*logged_artifacts(tmp_path / "w")] == ["model-small"]


def test_a_report_uses_networks_and_makes_ensembles(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    ensemble, report = stored_ensemble(store, [model]), report_of(store)
    snapshot = snapshot_of(store, model)
    track_report(offline(tmp_path), store, "my recipe", report, snapshot, [model, ensemble])
    artifacts = logged_artifacts(tmp_path / "w")
    assert {name: one.use_after_commit for name, one in artifacts.items()} == {
        "dataset": True,
        "model-small": True,
        "model-ensemble-mean": False,
        "report-my-recipe": False,
    }


class _Run:
    """Stands for an online run at the boundary to wandb."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.made: list[Any] = []
        self.linked: list[tuple[Any, str]] = []
        self.problem = problem

    def log_artifact(self, artifact: Any) -> None:
        self.made.append(artifact)

    def link_artifact(self, artifact: Any, target: str) -> None:
        if self.problem:
            raise self.problem
        self.linked.append((artifact, target))

    def finish(self, exit_code: int) -> None:
        pass


REGISTRY = "wandb-registry-model/fer"


def _link(store: ArtifactStore, model: ModelRef, config: TrackingConfig) -> list[str]:
    """Link a champion; the warnings."""
    events: list[Progress] = []
    with listening(events.append):
        link_champion(config, store, model, "better")
    return [event.note for event in events if event.is_warning]


def test_a_champion_is_linked_to_the_registry(
    tmp_path: Path, store: ArtifactStore, model: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _Run()
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setattr(background, "_start", lambda *_: run)
    config = TrackingConfig(folder=str(tmp_path / "w"), registry=REGISTRY)
    assert _link(store, model, config) == []
    [(artifact, target)] = run.linked
    assert (artifact.name, target) == ("model-small", REGISTRY)
    assert run.made == [artifact]


def test_a_failed_link_is_a_warning(
    tmp_path: Path, store: ArtifactStore, model: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setattr(background, "_start", lambda *_: _Run(PermissionError("no access")))
    config = TrackingConfig(folder=str(tmp_path / "w"), registry=REGISTRY)
    [warning] = _link(store, model, config)
    assert f"can't link {model.id} to {REGISTRY}: no access" in warning


def test_offline_the_link_is_said_to_be_missing(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    [warning] = _link(store, model, offline(tmp_path, registry=REGISTRY))
    assert f"{model.id} is not linked to {REGISTRY}" in warning
    assert "`wandb sync`" in warning
    assert [*logged_artifacts(tmp_path / "w")] == ["model-small"]


def test_without_a_registry_nothing_is_linked(
    tmp_path: Path, store: ArtifactStore, model: ModelRef
) -> None:
    assert _link(store, model, offline(tmp_path)) == []
    assert not (tmp_path / "w").exists()
