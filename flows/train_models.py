"""Train models: from a dataset to tuned and trained members, ensembles and their metrics."""

from prefect import flow

from fer_models.storage.refs import ModelRef, SnapshotRef, TuningRef
from flows.entry import StartedRun, entry_flow, short_run, subflow_name
from flows.pipeline_config import PipelineConfig
from flows.prepare_data import prepare
from flows.results import PreparedData, TrainedModels
from tasks.cache.results import results_in
from tasks.ensemble import ensemble
from tasks.evaluate import evaluate
from tasks.side_by_side import Started, results, side_by_side
from tasks.train import train, train_fold
from tasks.tune import tune
from tasks.warm_start import warm_start


@entry_flow("train-models", short_run)
def train_models(run: StartedRun) -> TrainedModels:
    """Tune, train the members, build the ensembles, and evaluate all of them.

    The data is prepared first, or taken from the cache.

    Example:
        trained = train_models(recipe="demo", overrides=("tuning.enabled=false",))
        trained.ensemble.candidate.id  # best on the validation split
    """
    return train_members.fn(run.config, prepare(run.config))


@flow(name="train-models", flow_run_name=subflow_name)
def train_members(
    config: PipelineConfig, prepared: PreparedData, from_champion: bool = False
) -> TrainedModels:
    """Tune, train the members, build the ensembles, and evaluate all of them.

    Args:
        config: the resolved configuration of the run.
        prepared: the dataset.
        from_champion: whether members start from the champion's weights, where these fit.
    """
    data = prepared.snapshot
    with results_in(config.store):
        tuning = _tune(config, data)
        initial = warm_start(config.members, data, tuning, config.store) if from_champion else {}
        models = _train_members(config, data, tuning, initial)
        ensembles = ensemble(data, models, config.ensemble, config.store)
        evaluations = [
            evaluate(data, model, config.evaluation, config.store)
            for model in (*models, *ensembles.ensembles)
        ]
    return TrainedModels(
        prepared=prepared,
        tuning=tuning,
        models=tuple(models),
        ensemble=ensembles,
        evaluations=tuple(evaluations),
    )


def _tune(config: PipelineConfig, data: SnapshotRef) -> TuningRef | None:
    if not config.tuning.enabled:
        return None
    member = config.member(config.tuning.member)
    return tune(data, member, config.tuning, config.seed, config.store)


def _train_members(
    config: PipelineConfig,
    data: SnapshotRef,
    tuning: TuningRef | None,
    initial: dict[str, ModelRef],
) -> list[ModelRef]:
    """Train all members and their folds, on a Ray cluster side by side.

    Teachers come before their students, folds before the member's own network.
    """
    trained: dict[str, Started[ModelRef]] = {}
    with side_by_side() as start:
        for member in config.members:
            teachers = [trained[name] for name in member.trained_teachers]
            own_tuning = tuning if member.name == config.tuning.member else None
            common = (data, member, own_tuning, config.seed, config.tracking, config.store)
            folds = [
                start(train_fold, *common, fold, teachers)
                for fold in range(member.out_of_fold.folds)
            ]
            trained[member.name] = start(train, *common, teachers, initial.get(member.name), folds)
        return results(trained.values())
