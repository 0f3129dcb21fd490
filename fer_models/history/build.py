"""Build the record of a run from its configuration and the references it returned."""

import platform
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from fer_models.errors import StoreError
from fer_models.evaluation.results import TEST, VALIDATION
from fer_models.history.record import Headline, RunArtifacts, RunRecord, State, new_run_id
from fer_models.lineage import code_revision, machine, machine_text, package_version
from fer_models.reporting.execution import StepTime
from fer_models.storage.refs import (
    ENSEMBLE,
    ArtifactRef,
    EnsembleRef,
    EvaluationRef,
    ExplorationRef,
    ModelRef,
    PromotionRef,
    RunRef,
    ScoresRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore

_SINGLE: dict[str, type[ArtifactRef]] = {
    "scores": ScoresRef,
    "validation": ValidationRef,
    "exploration": ExplorationRef,
    "tuning": TuningRef,
    "ensemble": EnsembleRef,
    "promotion": PromotionRef,
    "report": RunRef,
}
RefT = TypeVar("RefT", bound=ArtifactRef)


class RecordedConfig(Protocol):
    """The part of a configuration that a record needs (see `flows.pipeline_config`)."""

    @property
    def name(self) -> str:
        """Name of the recipe."""

    @property
    def seed(self) -> int:
        """Seed of all random draws."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """All settings as JSON values."""


def record_of(
    store: ArtifactStore,
    config: RecordedConfig,
    result: object = (),
    *,
    flow: str,
    trigger: str,
    started_s: float,
    ended_s: float | None = None,
    state: State | None = None,
    message: str = "",
    name: str = "",
    recipe: str = "",
    overrides: Iterable[str] = (),
    data: Iterable[str] | None = None,
    flow_run_id: str | None = None,
    run_id: str | None = None,
    steps: Iterable[StepTime] = (),
) -> RunRecord:
    """The record of a run that has just ended; nothing is written yet (see `record_run`).

    Args:
        store: holds the artifacts.
        config: the configuration of the run.
        result: what the flow returned, or what it had made before it failed: a result model such as
            `Outcome`, references to artifacts, or any nesting of them.
        flow: name of the flow.
        trigger: who started it: `cli`, `manual`, `schedule`, ...
        started_s: start, in seconds since the epoch.
        ended_s: end; by default now.
        state: by default `completed`, or `not-promoted` if the gate kept the champion.
        message: by default the reason of the promotion gate.
        name: name of the run; by default that of the recipe.
        recipe: what was given as `--recipe`; by default the name of the configuration.
        overrides: the settings that were given, as `PATH=VALUE`.
        data: what the run worked on; by default the sources of the configuration.
        flow_run_id: id of Prefect's flow run.
        run_id: by default a new one.
        steps: the finished steps with their durations.

    Raises:
        StoreError: an artifact of the result is missing or damaged.

    Example:
        started_s = time.time()
        outcome = run_pipeline(config)
        record = record_of(
            store, config, outcome, flow="run-pipeline", trigger="cli", started_s=started_s
        )
        record_run(store, record)
    """
    refs = list(refs_in(result))
    settings = config.model_dump(mode="json")
    promotion = _first(refs, PromotionRef)
    recipe = recipe or config.name
    return RunRecord(
        id=run_id or new_run_id(started_s),
        name=name or recipe,
        recipe=recipe,
        flow=flow,
        trigger=trigger,
        data=tuple(settings.get("data", {}).get("sources", ()) if data is None else data),
        seed=config.seed,
        overrides=tuple(overrides),
        flow_run_id=flow_run_id,
        started_s=started_s,
        ended_s=time.time() if ended_s is None else ended_s,
        state=state or ("not-promoted" if promotion and not promotion.promoted else "completed"),
        message=message or (promotion.reason if promotion else ""),
        artifacts=artifacts_of(store, refs),
        config=settings,
        headline=headline_of(store, refs),
        promoted=promotion.promoted if promotion and promotion.judged else None,
        host=platform.node(),
        hardware=machine_text(machine()),
        steps=tuple(steps),
        revision=_revision(),
    )


def refs_in(result: object) -> Iterator[ArtifactRef]:
    """All references to artifacts in a result model, a mapping, a sequence or a nesting of them.

    Example:
        [ref.id for ref in refs_in(outcome)]
    """
    if isinstance(result, ArtifactRef):
        yield result
    elif isinstance(result, BaseModel):
        for name in type(result).model_fields:
            yield from refs_in(getattr(result, name))
    elif isinstance(result, dict):
        yield from refs_in(list(result.values()))
    elif isinstance(result, list | tuple):
        for item in result:
            yield from refs_in(item)


def artifacts_of(store: ArtifactStore, refs: Iterable[ArtifactRef]) -> RunArtifacts:
    """The ids of references by their role; snapshots include those they were derived from.

    Raises:
        StoreError: a snapshot is missing or damaged.
    """
    refs = list(refs)
    single = {name: _first(refs, ref_type) for name, ref_type in _SINGLE.items()}
    choice, promotion = _first(refs, EnsembleRef), _first(refs, PromotionRef)
    models = [ref for ref in refs if isinstance(ref, ModelRef)]
    ensembles = [*(choice.ensembles if choice else ()), *models]
    snapshots: dict[str, str] = {}
    for ref in refs:
        if isinstance(ref, SnapshotRef):
            snapshots |= snapshot_chain(store, ref.id)
    return RunArtifacts(
        snapshots=snapshots,
        models={model.name: model.id for model in models if model.kind != ENSEMBLE},
        ensembles={model.name: model.id for model in ensembles if model.kind == ENSEMBLE},
        final_fit=promotion.final_fit_id if promotion else None,
        evaluations=tuple(ref.id for ref in refs if isinstance(ref, EvaluationRef)),
        **{name: ref.id if ref else None for name, ref in single.items()},
    )


def snapshot_chain(store: ArtifactStore, snapshot_id: str) -> dict[str, str]:
    """The ids of a snapshot and of those it was derived from, by step, the oldest first.

    A removed ancestor ends the chain.

    Raises:
        StoreError: the snapshot itself is missing or damaged.
    """
    chain: dict[str, str] = {}
    current: str | None = snapshot_id
    while current is not None:
        try:
            info = store.info(store.ref(SnapshotRef, current))
        except StoreError:
            if not chain:
                raise
            break
        chain.setdefault(str(info.get("step", "snapshot")), current)
        current = info.get("parent")
    return dict(reversed(chain.items()))


def headline_of(store: ArtifactStore, refs: Iterable[ArtifactRef]) -> Headline | None:
    """The accuracy of the candidate on test, or on validation without a test split.

    None if there is no candidate yet, or no evaluation of it.
    """
    refs = list(refs)
    choice, promotion = _first(refs, EnsembleRef), _first(refs, PromotionRef)
    candidate = choice.candidate.id if choice else promotion.candidate_id if promotion else None
    for ref in refs:
        if isinstance(ref, EvaluationRef) and ref.model_id == candidate:
            return _headline(store, ref)
    return None


def _headline(store: ArtifactStore, evaluation: EvaluationRef) -> Headline | None:
    info = store.info(evaluation)
    split = next((name for name in (TEST, VALIDATION) if name in info), None)
    if split is None:
        return None
    return Headline(candidate=evaluation.model_id, split=split, **info[split])


def _first(refs: Iterable[ArtifactRef], ref_type: type[RefT]) -> RefT | None:
    return next((ref for ref in refs if isinstance(ref, ref_type)), None)


def _revision() -> str:
    code = code_revision()
    parts = [package_version("ferflow") or "unknown version"]
    if code["revision"]:
        parts.append(f"git {code['revision'][:12]}")
    if code["dirty"]:
        parts.append("with changes")
    return ", ".join(parts)
