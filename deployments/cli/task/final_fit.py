"""`ferflow task final-fit`."""

from typing import Any

import click

from deployments.cli.options import config_options
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import run_option
from deployments.cli.task.step import Step, short
from fer_models.inference.open_model import stored_model
from fer_models.storage.latest import remember
from fer_models.storage.refs import EnsembleRef, ModelRef, SnapshotRef, ValidationRef
from fer_models.tracking.mode import check_tracking
from flows.request import absolute_path


@click.command(name="final-fit")
@config_options
@run_option
@click.option(
    "--model",
    "model_id",
    metavar="MODEL",
    help="Model id, its beginning, or champion.  [default: the latest candidate]",
)
@click.option(
    "--weights-dir",
    metavar="DIR",
    help="Folder with the weights that networks of timm started from.",
)
@reporting
def final_fit(model_id: str | None, weights_dir: str | None, **options: Any) -> Produced:
    """Train a selected model once more, on training and validation images.

    Settings and number of epochs are those that were chosen for it, and nothing is measured on the
    validation images any more. Of an ensemble or an average every network is trained, except
    imported ones, which stay as they are; the final fits are combined by the same rule. A killed
    command continues when it is repeated.
    """
    step = Step(options)
    check_tracking(step.config.tracking)
    if model_id:
        model = stored_model(step.store, model_id)
    else:
        model = step.recall("ensemble", EnsembleRef).candidate
    final, finals = _train_final(step, model, weights_dir)
    remember(step.store, f"final-{model.name}", final)
    infos = [step.store.info(one) for one in finals]
    rows = [
        [info["final_fit_of"], one.id, str(info["best_epoch"]), f"{info['train_seconds']:,.0f} s"]
        for one, info in zip(finals, infos, strict=True)
    ]
    print_table("Final fits", ["network", "final fit", "epochs", "training"], rows)
    facts = {
        "model": model.id,
        "final_fit": final.id,
        "networks": [one.id for one in finals],
        "url": final.url,
        "next": _next(step, final),
    }
    print_facts(short(facts, "networks"))
    return facts


def final_of_passing(
    step: Step, snapshot: SnapshotRef, candidate: ModelRef, validation: ValidationRef | None
) -> ModelRef | None:
    """The final fit of a candidate that passes the gate, if it is wanted."""
    from tasks.promote import judge

    config = step.config
    if not config.final_fit.enabled:
        return None
    if not judge.fn(snapshot, candidate, config.promotion, config.store, validation):
        return None
    final, _ = _train_final(step, candidate)
    return final


def _train_final(
    step: Step, model: ModelRef, weights_dir: str | None = None
) -> tuple[ModelRef, list[ModelRef]]:
    """The final fit of a model, and those of its networks."""
    from tasks.final_fit import candidate_networks, final_model, final_network

    config, store = step.config, step.config.store
    folders = {member.name: member.network.weights_dir for member in config.members}
    given = absolute_path(weights_dir) if weights_dir else None
    with progress_display():
        finals = [
            final_network.fn(network, config.tracking, store, given or folders.get(network.name))
            for network in candidate_networks(model, store)
        ]
        return final_model.fn(model, finals, store), finals


def _next(step: Step, final: ModelRef) -> str:
    """Measure it, if there is something to measure it on; take it along otherwise."""
    snapshot = step.store.ref(SnapshotRef, str(step.store.info(final)["snapshot_id"]))
    has_test = step.store.info(snapshot)["split_counts"].get("test")
    return f"ferflow {'task evaluate --model' if has_test else 'models export'} {final.id}"
