"""Train a member on a node of the Ray cluster."""

from collections.abc import Callable
from typing import Any

from fer_models.remote.call import Place, call_on_node
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.receive import received_run
from fer_models.training.config import MemberConfig


def train_on_node(
    train: Callable[..., ModelRef],
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    seed: int,
    tracking: TrackingConfig,
    *more: Any,
) -> ModelRef:
    """Call `train` (`train_member`) with these arguments on a node; see there.

    The tracked run is written by this process, so that its files are in one place.
    """
    place = Place(
        who=f"training {member.name}",
        setting=f"members.{member.name}.placement",
        placement=member.placement,
    )
    with received_run(store) as run:
        return call_on_node(
            place, train, store, snapshot, member, seed, tracking, *more, on_event=run.on_event
        )
