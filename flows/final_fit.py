"""The final fit of a candidate: what the promotion makes the champion in its place."""

from fer_models.storage.refs import ModelRef, SnapshotRef, ValidationRef
from flows.pipeline_config import PipelineConfig
from tasks.final_fit import candidate_networks, final_model, final_network
from tasks.promote import judge
from tasks.side_by_side import results, side_by_side


def final_fit(
    config: PipelineConfig, data: SnapshotRef, candidate: ModelRef, validation: ValidationRef
) -> ModelRef | None:
    """Train the final fit, if it is wanted and the candidate passes the gate.

    It is trained before the registry changes: a run that is killed in between leaves the old
    champion, and the same run continues with the networks that are finished. On a Ray cluster the
    networks train side by side.
    """
    store = config.store
    if not config.final_fit.enabled:
        return None
    if not judge(data, candidate, config.promotion, store, validation):
        return None
    folders = {member.name: member.network.weights_dir for member in config.members}
    networks = candidate_networks(candidate, store)
    with side_by_side() as start:
        started = [
            start(final_network, network, config.tracking, store, folders.get(network.name))
            for network in networks
        ]
        finals = results(started)
    return finals[0] if networks == [candidate] else final_model(candidate, finals, store)
