"""Which of the champion's networks each member can start from."""

from collections.abc import Sequence
from typing import NamedTuple

from fer_models.classes.class_list import ClassList
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_ref, networks_of, selected_model
from fer_models.progress import report
from fer_models.promotion.held_out import HeldOutImages
from fer_models.storage.champions import current_champion
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.initial import why_not_initial


class WarmStart(NamedTuple):
    """What a member starts from, and why."""

    initial: ModelRef | None
    """None: from scratch."""
    note: str


def warm_starts(
    store: ArtifactStore, members: Sequence[MemberConfig], snapshot: SnapshotRef
) -> dict[str, ModelRef]:
    """The champion's network that each member starts from, by member name.

    Members that can't start from one are left out. What each one starts from is reported as
    progress, so it is in the log of a task.

    Example:
        initial = warm_starts(store, config.members, snapshot)
        train_member(store, snapshot, member, seed, tracking, initial=initial.get(member.name))
    """
    starts = explain_warm_starts(store, members, snapshot)
    for number, start in enumerate(starts.values()):
        report("warm start", number + 1, len(starts), "members", start.note)
    return {name: start.initial for name, start in starts.items() if start.initial is not None}


def explain_warm_starts(
    store: ArtifactStore, members: Sequence[MemberConfig], snapshot: SnapshotRef
) -> dict[str, WarmStart]:
    """What each member starts from, and why, by member name.

    A member starts from the champion's network of its own name, else from the first one with the
    same architecture and classes; see `why_not_initial`. A network that has learned from held-out
    images of the snapshot is left out, because their figures would be too good; see
    `HeldOutImages`.

    Args:
        store: holds the champion and the snapshot.
        members: to be trained.
        snapshot: that they will be trained on.

    Raises:
        StoreError: the registry or the snapshot can't be read.
    """
    classes = ClassList.from_info(store.info(snapshot))
    networks = _champion_networks(store, classes)
    held_out = HeldOutImages(store, snapshot)
    return {member.name: _start(store, member, networks, classes, held_out) for member in members}


def _start(
    store: ArtifactStore,
    member: MemberConfig,
    networks: list[ModelRef],
    classes: ClassList,
    held_out: HeldOutImages,
) -> WarmStart:
    if not networks:
        return WarmStart(None, f"{member.name}: from scratch, there is no usable champion")
    # A stable sort: networks of the same name first, in the champion's order.
    ordered = sorted(networks, key=lambda network: network.name != member.name)
    reasons = [why_not_initial(store, network, member.network, classes) for network in ordered]
    fitting = [network for network, reason in zip(ordered, reasons, strict=True) if not reason]
    for network in fitting:
        if not held_out.why_unfair(network):
            return WarmStart(network, f"{member.name}: from the weights of {network.id}")
    reason = held_out.why_unfair(fitting[0]) if fitting else reasons[0]
    return WarmStart(None, f"{member.name}: from scratch, {reason}")


def _champion_networks(store: ArtifactStore, classes: ClassList) -> list[ModelRef]:
    """The champion, or the members of an ensemble; none if there is no usable champion.

    Of a final fit, the networks that it repeats: it has learned from the validation images, so a
    network that starts from it could not be judged by them.
    """
    entry = current_champion(store, classes)
    if entry is None:
        return []
    try:
        return networks_of(store, selected_model(store, model_ref(store, entry.model_id)))
    except StoreError:
        return []  # the decision says that the champion is damaged
