"""The outputs of the steps of a run, as the references that later steps take."""

from collections.abc import Sequence
from typing import TypeVar

from fer_models.ensembling.ensemble import ENSEMBLE_FILE
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_ref
from fer_models.history.record import RunArtifacts, RunRecord
from fer_models.history.runs import latest_with_ensemble
from fer_models.storage.latest import recall_if_any
from fer_models.storage.refs import (
    ArtifactRef,
    EnsembleRef,
    ExplorationRef,
    ModelRef,
    PromotionRef,
    RunRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore

RefT = TypeVar("RefT", bound=ArtifactRef)
_TRAIN = "train-"
# Fields of a reference that are in the metadata of its artifact.
_FIELDS: dict[type[ArtifactRef], tuple[str, ...]] = {
    ValidationRef: ("passed", "num_errors", "num_warnings"),
    PromotionRef: ("promoted", "candidate_id", "champion_id", "reason", "final_fit_id", "judged"),
}


def output_ids(artifacts: RunArtifacts) -> dict[str, str]:
    """The ids of a run's artifacts by step: ingest, validate, score, ..., train-<member>, ...

    Example:
        output_ids(record.artifacts)["train-compact_cnn"]
    """
    single = {
        "validate": artifacts.validation,
        "score": artifacts.scores,
        "explore": artifacts.exploration,
        "tune": artifacts.tuning,
        "ensemble": artifacts.ensemble,
        "promote": artifacts.promotion,
        "report": artifacts.report,
    }
    models = {f"{_TRAIN}{name}": model_id for name, model_id in artifacts.models.items()}
    held = {step: artifact_id for step, artifact_id in single.items() if artifact_id}
    return {**artifacts.snapshots, **held, **models}


def output_of(
    store: ArtifactStore, record: RunRecord, step: str, ref_type: type[RefT]
) -> RefT | None:
    """The output of a step of a run; None if the run has none.

    Args:
        store: holds the artifacts.
        record: the run.
        step: such as `split`, `train-compact_cnn` or `ensemble`.
        ref_type: the kind of the output.

    Raises:
        StoreError: the artifact is missing or damaged.

    Example:
        output_of(store, find_run(store, "latest~1"), "ensemble", EnsembleRef)
    """
    artifact_id = output_ids(record.artifacts).get(step)
    if artifact_id is None:
        return None
    ref = _ref(store, ref_type, artifact_id)
    if not store.exists(ref):
        raise StoreError(
            f"run {record.id}: the output of its step {step!r} is not in the store any more "
            f"({ref.url}); choose another run, or repeat this one (ferflow runs show {record.id})"
        )
    assert isinstance(ref, ref_type)
    return ref


def tuning_behind(
    store: ArtifactStore, models: Sequence[ModelRef], ensemble: EnsembleRef
) -> TuningRef | None:
    """The search whose result the models were trained with; None without one.

    It is that of the last run with this ensemble step. Models that were trained step by step belong
    to no run: the latest search is theirs if the model of its member has its best setting.

    Args:
        store: holds the artifacts.
        models: the members' models.
        ensemble: the step that they were combined in.

    Raises:
        StoreError: an artifact is missing or damaged.
    """
    record = latest_with_ensemble(store, ensemble.id)
    if record is not None:
        return output_of(store, record, "tune", TuningRef)
    latest = recall_if_any(store, "tune", TuningRef)
    if latest is None or not store.exists(latest):
        return None
    member = store.info(latest)["member"]
    tuned = [model for model in models if model.name == member]
    return latest if tuned and _has_best_setting(store, tuned[0], latest) else None


def _has_best_setting(store: ArtifactStore, model: ModelRef, tuning: TuningRef) -> bool:
    from fer_models.training.config import MemberConfig
    from fer_models.tuning.tune import apply_tuning

    trained = MemberConfig.model_validate(store.read_json(model, "config.json"))
    return apply_tuning(store, trained, tuning) == trained


def _ref(store: ArtifactStore, ref_type: type[ArtifactRef], artifact_id: str) -> ArtifactRef:
    """A complete reference; one without its further fields if the artifact is missing."""
    plain = ref_type.model_construct(id=artifact_id, url=store.artifact_url(ref_type, artifact_id))
    if not store.exists(plain):
        return plain
    if ref_type is ModelRef:
        return model_ref(store, artifact_id)
    if ref_type is EnsembleRef:
        return _ensemble_ref(store, plain)
    if ref_type in (ExplorationRef, RunRef):
        return store.ref(ref_type, artifact_id, report_url=f"{plain.url}/report.html")
    info = store.info(plain)
    fields = {name: info[name] for name in _FIELDS.get(ref_type, ()) if name in info}
    return store.ref(ref_type, artifact_id, **fields)


def _ensemble_ref(store: ArtifactStore, plain: ArtifactRef) -> EnsembleRef:
    content = store.read_json(plain, ENSEMBLE_FILE)
    combined = [entry for entry in content["candidates"] if entry["method"] is not None]
    return store.ref(
        EnsembleRef,
        plain.id,
        candidate=model_ref(store, content["chosen"]),
        ensembles=tuple(model_ref(store, entry["model_id"]) for entry in combined),
    )
