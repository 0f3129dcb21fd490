"""Train a member on a node of the Ray cluster."""

from collections.abc import Callable
from typing import Any, TypeVar

from fer_models.remote.call import Place, call_on_node
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.receive import received_run
from fer_models.training.config import MemberConfig

T = TypeVar("T")


def train_on_node(
    member: MemberConfig, label: str, train: Callable[..., T], store: ArtifactStore, *args: Any
) -> T:
    """Call `train` (such as `train_member`) with its store and arguments on a node for the member.

    `label` names the training in progress and errors. The tracked run is written by this process,
    so that its files are in one place.
    """
    place = Place(
        who=f"training {label}",
        setting=f"members.{member.name}.placement",
        placement=member.placement,
    )
    with received_run(store) as run:
        return call_on_node(place, train, store, *args, on_event=run.on_event)
