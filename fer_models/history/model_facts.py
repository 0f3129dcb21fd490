"""Everything about one stored model: classes, metrics, lineage, and where it is the champion."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from fer_models.bundles.names import BUNDLED
from fer_models.errors import StoreError
from fer_models.evaluation.evaluate import read_evaluation
from fer_models.evaluation.predictions import AVERAGED, IMPORTED, model_classes_of
from fer_models.evaluation.results import TEST, VALIDATION
from fer_models.history.leaderboard import SPLITS, Accuracy
from fer_models.history.stored import StoredModel, evaluations_by_age, stored_models
from fer_models.storage.champions import is_champion_alias
from fer_models.storage.refs import EvaluationRef, ModelRef
from fer_models.storage.registry import Registry
from fer_models.storage.store import ArtifactStore

_LINEAGE_FILE = "lineage.json"
_REVISION_CHARACTERS = 12
_MEMBERS_FILE = "members.json"


class Reign(BaseModel):
    """A time as champion; `until_s` is None if it still is."""

    model_config = ConfigDict(frozen=True)
    entry: int
    alias: str
    since_s: float
    until_s: float | None
    reason: str


class ModelFacts(BaseModel):
    """A stored model; shares are 0..1."""

    model_config = ConfigDict(frozen=True)
    model: StoredModel
    classes: tuple[str, ...]
    members: tuple[dict[str, Any], ...]
    """Of an ensemble, as stored."""
    splits: dict[str, Accuracy]
    """With intervals, by split; empty for a model that was not evaluated."""
    recalls: dict[str, dict[str, Accuracy]]
    """The accuracy on the images of each class, by split."""
    reigns: tuple[Reign, ...]
    lineage: dict[str, Any]

    @property
    def bundle(self) -> dict[str, Any]:
        """The facts of the weight bundle that the model was imported from; empty for others."""
        bundle: dict[str, Any] = self.lineage.get(IMPORTED, {})
        return bundle

    @property
    def averaged(self) -> tuple[str, ...]:
        """The ids of the models whose weights were averaged to this one's."""
        return tuple(self.lineage.get(AVERAGED, ()))

    @property
    def started_from(self) -> str:
        """The initial weights; empty where weights were imported or averaged."""
        scratch = "" if self.bundle or self.averaged else "scratch"
        return str(self.lineage.get("initial") or self.lineage.get("pretrained") or scratch)

    @property
    def teachers(self) -> tuple[str, ...]:
        """The ids of stored teachers."""
        return tuple(self.lineage.get("teachers") or ())

    @property
    def shipped_teachers(self) -> tuple[str, ...]:
        """Teachers that ship with ferflow, as `bundled:NAME`."""
        names = self.lineage.get("bundled_teachers") or ()
        return tuple(f"{BUNDLED}:{name}" for name in names)

    @property
    def code(self) -> str:
        """The beginning of the git revision that trained it; empty if unknown."""
        code = self.lineage.get("code", {})
        revision = str(code.get("revision") or "")[:_REVISION_CHARACTERS]
        return f"{revision} with changes" if code.get("dirty") else revision


def model_facts(store: ArtifactStore, model: ModelRef) -> ModelFacts:
    """The facts of a model.

    Raises:
        StoreError: it, or its evaluation, is missing or damaged.

    Example:
        facts = model_facts(store, model_ref(store, "compact_cnn-0123456789ab"))
        facts.splits["validation"].accuracy, [reign.since_s for reign in facts.reigns]
    """
    files = store.describe(model).files
    listed, _ = stored_models(store)
    evaluation = _newest_evaluation(store, model.id)
    return ModelFacts(
        model=next(one for one in listed if one.id == model.id),
        classes=model_classes_of(store, model).names,
        members=tuple(store.read_json(model, _MEMBERS_FILE)) if _MEMBERS_FILE in files else (),
        splits=_accuracies(store, evaluation),
        recalls=_recalls(store, evaluation),
        reigns=reigns(store, model.id),
        lineage=store.read_json(model, _LINEAGE_FILE) if _LINEAGE_FILE in files else {},
    )


def reigns(store: ArtifactStore, model_id: str) -> tuple[Reign, ...]:
    """The times at which a model was the champion, the earliest first."""
    entries = [entry for entry in Registry(store).history() if is_champion_alias(entry.alias)]
    found = []
    for number, entry in enumerate(entries):
        if entry.model_id != model_id:
            continue
        later = (next_.time_s for next_ in entries[number + 1 :] if next_.alias == entry.alias)
        found.append(
            Reign(
                entry=entry.number,
                alias=entry.alias,
                since_s=entry.time_s,
                until_s=next(later, None),
                reason=entry.reason,
            )
        )
    return tuple(found)


def _newest_evaluation(store: ArtifactStore, model_id: str) -> EvaluationRef | None:
    known, _ = evaluations_by_age(store)
    found = [ref_id for ref_id, info in known.items() if info.get("model_id") == model_id]
    return store.ref(EvaluationRef, found[-1], model_id=model_id) if found else None


def _accuracies(store: ArtifactStore, evaluation: EvaluationRef | None) -> dict[str, Accuracy]:
    if evaluation is None:
        return {}
    info = store.info(evaluation)
    return {split: Accuracy(**info[split]) for split in SPLITS if split in info}


def _recalls(
    store: ArtifactStore, evaluation: EvaluationRef | None
) -> dict[str, dict[str, Accuracy]]:
    """By class; none from an evaluation of another version."""
    if evaluation is None:
        return {}
    try:
        metrics = read_evaluation(store, evaluation)
    except StoreError:
        return {}
    return {
        split: {
            name: Accuracy(n=one.n, accuracy=one.recall, low=low, high=high)
            for name, one in found.per_class.items()
            if one.n
            for low, high in [one.intervals["recall"]]
        }
        for split, found in metrics.splits.items()
        if split in (VALIDATION, TEST)
    }
