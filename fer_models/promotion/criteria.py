"""One reason that may call for retraining, with its figure; and the reasons about the champion."""

from pydantic import BaseModel, ConfigDict

from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_ref, selected_model
from fer_models.promotion.config import RetrainingConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import RegistryEntry
from fer_models.storage.store import ArtifactStore

_SECONDS_PER_DAY = 86_400
_MEMBERS_FILE = "members.json"
_NOTHING = "-"
# Causes of a StoreError: a missing file, or content that is not what it should be.
_SIGNS_OF_DAMAGE = (FileNotFoundError, ValueError)


class Criterion(BaseModel):
    """A criterion of the retraining decision, in words that a person can read without the code."""

    model_config = ConfigDict(frozen=True)
    name: str
    observed: str
    """What was found, such as `31.0 days`."""
    threshold: str
    """From when on it fires, such as `more than 30 days`."""
    fired: bool
    judged: bool = True
    """False: it is switched off, or there is not enough to judge by."""
    text: str
    """The finding as a sentence; the reason to retrain if the criterion fired."""
    part_of: str = ""
    """The criterion that sums this one up; only that one is given as a reason."""

    @property
    def outcome(self) -> str:
        """`retrain`, `no` or `not judged`."""
        if not self.judged:
            return "not judged"
        return "retrain" if self.fired else "no"


def not_judged(name: str, threshold: str, why: str) -> Criterion:
    """A criterion that is off, or can't be judged; `why` says which."""
    return Criterion(
        name=name,
        observed=_NOTHING,
        threshold=threshold,
        fired=False,
        judged=False,
        text=f"not judged: {why}",
    )


def force_criterion(config: RetrainingConfig) -> Criterion:
    """Whether retraining was asked for, whatever the figures say."""
    return Criterion(
        name="force",
        observed="on" if config.force else "off",
        threshold="on",
        fired=config.force,
        text="retraining was forced (force)" if config.force else "retraining was not forced",
    )


def no_champion_criterion(entry: RegistryEntry | None) -> Criterion:
    """Whether there is a champion at all."""
    return Criterion(
        name="no champion",
        observed="none" if entry is None else entry.model_id,
        threshold="none",
        fired=entry is None,
        text="there is no champion yet" if entry is None else f"the champion is {entry.model_id}",
    )


def damaged_criterion(entry: RegistryEntry | None, problem: str) -> Criterion:
    """Whether the champion's artifact can be used; `problem` is empty if it can."""
    name, threshold = "champion damaged", "missing or damaged"
    if entry is None:
        return not_judged(name, threshold, "there is no champion yet")
    return Criterion(
        name=name,
        observed="damaged" if problem else "complete",
        threshold=threshold,
        fired=bool(problem),
        text=problem or "every file of the champion is there and has the recorded sha256",
    )


def age_criterion(entry: RegistryEntry | None, config: RetrainingConfig, now_s: float) -> Criterion:
    """Whether the champion is too old."""
    threshold = f"more than {config.max_age_days:g} days"
    if entry is None:
        return not_judged("age", threshold, "there is no champion yet")
    age_days = (now_s - entry.time_s) / _SECONDS_PER_DAY
    fired = age_days > config.max_age_days
    relation = "more than" if fired else "not more than"
    return Criterion(
        name="age",
        observed=f"{age_days:.1f} days",
        threshold=threshold,
        fired=fired,
        text=f"the champion is {age_days:.1f} days old, {relation} {config.max_age_days:g}",
    )


def champion_problem(store: ArtifactStore, model_id: str) -> str:
    """Why the champion can't be used, or ""; reads every file of it and of its members.

    Of a final fit, also those of the model that it repeats, which candidates are compared with.

    Raises:
        StoreError: the store can't be reached or read, which says nothing about the champion.
    """
    if not store.exists(store.ref(ModelRef, model_id, name=model_id)):
        return f"the champion's artifact {model_id} is missing from the store"
    try:
        selected = selected_model(store, model_ref(store, model_id)).id
        ids = [one for top in (model_id, selected) for one in (top, *_member_ids(store, top))]
        for member_id in dict.fromkeys(ids):
            ref = model_ref(store, member_id)
            for name in store.describe(ref).files:
                store.fetch(ref, name)
    except StoreError as error:
        if error.__cause__ is not None and not isinstance(error.__cause__, _SIGNS_OF_DAMAGE):
            raise
        return f"the champion's artifact {model_id} is damaged: {error.message}"
    return ""


def _member_ids(store: ArtifactStore, model_id: str) -> list[str]:
    """The ids of the networks of an ensemble; none for a network."""
    ref = model_ref(store, model_id)
    if _MEMBERS_FILE not in store.describe(ref).files:
        return []
    return [str(member["model_id"]) for member in store.read_json(ref, _MEMBERS_FILE)]
