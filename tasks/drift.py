"""Task of the drift measurement."""

from fer_models.classes.class_list import ClassList
from fer_models.drift.results import Measure, read_measures
from fer_models.promotion.config import RetrainingConfig
from fer_models.promotion.criteria import champion_problem
from fer_models.storage.champions import all_champions, current_champion
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import DriftRef, SnapshotRef
from fer_models.storage.registry import RegistryEntry
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_link, publish_table
from tasks.completion import Parameters
from tasks.events import emit_drift
from tasks.listeners import in_task_run
from tasks.stage import stage


def _publish(found: DriftRef | None, parameters: Parameters) -> None:
    if found is None:
        return
    measures = read_measures(ArtifactStore(parameters["store"]), found)
    publish_table("drift", _rows(measures), f"Drift of {found.num_images} recent images")
    publish_link("drift-report", found.report_url, "The drift page")


@stage("fer_models.drift.champion", cached=False, publish=_publish)
def drift(
    snapshot: SnapshotRef, config: RetrainingConfig, seed: int, store: StoreConfig
) -> DriftRef | None:
    """Compare recent images with the data of the champion of the snapshot's classes.

    None if either is missing.
    """
    artifacts = ArtifactStore(store)
    entry = current_champion(artifacts, ClassList.from_info(artifacts.info(snapshot)))
    return _measured(artifacts, entry, config, seed, during_retrain=True)


@stage("fer_models.drift.champion", cached=False, publish=_publish)
def drift_of_predictions(
    model_id: str, config: RetrainingConfig, seed: int, store: StoreConfig
) -> DriftRef | None:
    """Compare recent predicted faces with the data of the champion that has predicted them.

    Drift that is found starts the retraining check. None if the model is no champion.
    """
    artifacts = ArtifactStore(store)
    champions = all_champions(artifacts).values()
    entry = next((one for one in champions if one.model_id == model_id), None)
    return _measured(artifacts, entry, config, seed, during_retrain=False)


def _measured(
    artifacts: ArtifactStore,
    entry: RegistryEntry | None,
    config: RetrainingConfig,
    seed: int,
    *,
    during_retrain: bool,
) -> DriftRef | None:
    if not config.recent_images or entry is None or champion_problem(artifacts, entry.model_id):
        return None
    # It imports torch, which would double the start of every check.
    from fer_models.drift.champion import champion_drift

    known = set(artifacts.list_ids(DriftRef))
    found = champion_drift(artifacts, config.recent_images, config.drift, seed, entry)
    if found.detected and found.id not in known and in_task_run():
        measures = read_measures(artifacts, found)
        fired = [one.name for one in measures if one.fired]
        emit_drift(found, fired, during_retrain=during_retrain)
    return found


def _rows(measures: list[Measure]) -> list[dict[str, str]]:
    return [
        {
            "measure": measure.name,
            "observed": measure.observed,
            "threshold": measure.threshold,
            "outcome": measure.outcome,
            "finding": measure.text,
        }
        for measure in measures
    ]
