"""Train models: from a dataset to tuned and trained members, ensembles and their metrics."""

from prefect import flow

from fer_models.storage.refs import ModelRef, SnapshotRef, TuningRef
from flows.pipeline_config import PipelineConfig
from flows.prepare_data import DEMO, prepare_data
from flows.results import PreparedData, TrainedModels
from tasks.cache.results import results_in
from tasks.ensemble import ensemble
from tasks.evaluate import evaluate
from tasks.side_by_side import Started, results, side_by_side
from tasks.train import train
from tasks.tune import tune


@flow(name="train-models", flow_run_name="train-models-{config.name}")
def train_models(
    config: PipelineConfig = DEMO, prepared: PreparedData | None = None
) -> TrainedModels:
    """Tune, train the members, build the ensembles, and evaluate all of them.

    Args:
        config: the configuration of the run.
        prepared: the dataset; by default the data is prepared first, or taken from the cache.

    Example:
        config = load_config("demo", ["tuning.enabled=false"])
        trained = train_models(config, prepare_data(config))
        trained.ensemble.candidate.id  # best on the validation split
    """
    prepared = prepared or prepare_data(config)
    data = prepared.snapshot
    with results_in(config.store):
        tuning = _tune(config, data)
        models = _train_members(config, data, tuning)
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
    config: PipelineConfig, data: SnapshotRef, tuning: TuningRef | None
) -> list[ModelRef]:
    """Train all members, on a Ray cluster side by side; teachers before their students."""
    trained: dict[str, Started[ModelRef]] = {}
    with side_by_side() as start:
        for member in config.members:
            teachers = [trained[name] for name in member.teachers]
            own_tuning = tuning if member.name == config.tuning.member else None
            trained[member.name] = start(
                train,
                data,
                member,
                own_tuning,
                config.seed,
                config.tracking,
                config.store,
                teachers,
            )
        return results(trained.values())
