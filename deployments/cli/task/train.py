"""`ferflow task train`."""

from collections.abc import Sequence
from typing import Any

import click

from deployments.cli.options import config_options, weights_option
from deployments.cli.output import Produced, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import run_option
from deployments.cli.task.step import Step, number, snapshot_option
from fer_models.errors import ConfigError, StoreError
from fer_models.inference.open_model import stored_model
from fer_models.progress import warn
from fer_models.storage.latest import remember
from fer_models.storage.refs import ModelRef, SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.mode import check_tracking
from fer_models.training.config import MemberConfig


@click.command()
@config_options
@weights_option
@snapshot_option
@run_option
@click.option("--member", "names", multiple=True, help="Train only this member; repeatable.")
@click.option("--no-tuning", is_flag=True, help="Ignore the result of the latest tuning.")
@click.option(
    "--initial",
    "initial_id",
    metavar="MODEL",
    help="Start from the weights of this model: an id, its beginning, or champion.",
)
@reporting
def train(
    snapshot_id: str | None,
    names: tuple[str, ...],
    no_tuning: bool,
    initial_id: str | None,
    **options: Any,
) -> Produced:
    """Train the members on the split snapshot.

    --initial goes on from a stored model of the same network and classes, with the settings of the
    member; convolutional networks also at another input size. Of a final fit it takes the model
    that it repeats, which has not learned from the validation images.
    """
    step = Step(options)
    check_tracking(step.config.tracking)
    from tasks.train import train as stage

    config = step.config
    known = [member.name for member in config.members]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"--member {', '.join(unknown)}: expected one of {', '.join(known)}")
    snapshot = step.snapshot(snapshot_id, "split")
    wanted = [config.member(name) for name in names or known]
    initial = None if initial_id is None else _initial(step.store, initial_id, snapshot, wanted)
    models: list[ModelRef] = []
    with progress_display():
        if initial is not None:
            _warn_of_held_out(step.store, snapshot, initial)
        for member in wanted:
            tuning = None if no_tuning else _tuning_for(step, member.name, snapshot)
            teachers = [step.recall(f"train-{one}", ModelRef) for one in member.trained_teachers]
            model = stage.fn(
                snapshot,
                member,
                tuning,
                config.seed,
                config.tracking,
                config.store,
                teachers,
                initial,
            )
            remember(step.store, f"train-{member.name}", model)
            models.append(model)
    facts = [{"id": model.id, **step.store.info(model)} for model in models]
    cells = [[f["id"], f"{f['parameters']:,}", number(f["validation_accuracy"])] for f in facts]
    print_table("Trained", ["model", "parameters", "validation accuracy"], cells)
    return {"snapshot": snapshot.id, "models": facts}


def _initial(
    store: ArtifactStore, text: str, snapshot: SnapshotRef, members: Sequence[MemberConfig]
) -> ModelRef:
    """The model whose weights the members start from, if they can."""
    from fer_models.classes.class_list import ClassList
    from fer_models.evaluation.predictions import selected_model
    from fer_models.training.initial import why_not_initial

    initial = selected_model(store, stored_model(store, text))
    classes = ClassList.from_info(store.info(snapshot))
    reasons = {
        member.name: why_not_initial(store, initial, member.network, classes) for member in members
    }
    problems = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    if problems:
        raise ConfigError(
            f"--initial {text}: expected a model of the same network as the members; choose the "
            "members with --member, or another model",
            problems,
        )
    return initial


def _warn_of_held_out(store: ArtifactStore, snapshot: SnapshotRef, initial: ModelRef) -> None:
    """Say so if the weights have learned from images that are to judge what starts from them."""
    from fer_models.promotion.held_out import HeldOutImages

    if unfair := HeldOutImages(store, snapshot).why_unfair(initial):
        warn("train", f"{unfair}; the accuracy of what starts from it may be too good")


def _tuning_for(step: Step, name: str, snapshot: SnapshotRef) -> TuningRef | None:
    """The latest tuning, if it was for this member and this snapshot."""
    tuning = step.recall_if_any("tune", TuningRef)
    if tuning is None or name != step.config.tuning.member:
        return None
    try:
        info = step.store.info(tuning)
    except StoreError:
        return None
    matches = info["member"] == name and info.get("snapshot_id") == snapshot.id
    return tuning if matches else None
