"""Retrain if the data changed or the champion is too old; the scheduled flow."""

from fer_models.promotion.retraining import RetrainingDecision
from flows.entry import StartedRun, entry_flow, forceable_run
from flows.prepare_data import prepare
from flows.promote_model import promote_candidate
from flows.results import Outcome
from flows.train_models import train_members
from tasks.cache.results import results_in
from tasks.drift import drift
from tasks.promote import decide_retraining


@entry_flow("retrain", forceable_run)
def retrain(run: StartedRun) -> Outcome | None:
    """Train and promote only if there is a reason to; otherwise return None.

    Recent unlabelled images are compared with the champion's data first, if there are any. An old
    champion of the same data is challenged by models with another seed, because the same data and
    seed would give the same models again.

    Example:
        outcome = retrain(recipe="fer2013", overrides=("retraining.max_age_days=7",))
        if outcome is None:
            ...  # the champion is kept
    """
    config = run.config
    prepared = prepare(config)
    criteria = config.retraining
    if run.force:
        criteria = criteria.model_copy(update={"force": True})
    with results_in(config.store):
        found = drift(prepared.snapshot, config.retraining, config.seed, config.store)
        decision = decide_retraining(prepared.snapshot, criteria, config.store, found)
    if not decision.retrain:
        run.nothing_to_do(_figures(decision))
        return None
    run.reconfigure(config.model_copy(update={"seed": config.seed + decision.seed_shift}))
    trained = train_members(run.config, prepared, from_champion=config.retraining.warm_start)
    return run.judged(promote_candidate(run.config, trained))


def _figures(decision: RetrainingDecision) -> str:
    """Every criterion with its figure: why there was nothing to do."""
    return "; ".join(
        criterion.text if criterion.judged else f"{criterion.name} {criterion.text}"
        for criterion in decision.criteria
    )
