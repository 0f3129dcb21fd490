"""Check a store: which artifacts are damaged, what refers to them, how they are made again."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from fer_models.progress import report
from fer_models.storage.champions import all_champions
from fer_models.storage.refs import (
    ARTIFACT_KINDS,
    ArtifactRef,
    DecisionsRef,
    LabelledRef,
    ReviewRef,
    SelectionRef,
)
from fer_models.storage.store import ARTIFACT_FILE, ArtifactStore

_PEOPLES_WORK = {
    DecisionsRef.folder: "people's work: get it from a backup, or decide again (`ferflow review`)",
    LabelledRef.folder: "people's labels, and the faces of the selections that they share: get the "
    "damaged files from a backup",
    SelectionRef.folder: "faces that people's labels share: get the damaged files from a backup",
}
_BY_HAND = {
    **_PEOPLES_WORK,
    ReviewRef.folder: "`ferflow review` writes it again",
}
_BY_A_RUN = "the run that made it makes it again: the same `ferflow run`, or the step alone"


@dataclass(frozen=True)
class DamagedArtifact:
    """An artifact that is not whole: what is wrong, what refers to it, how to get it back."""

    folder: str
    id: str
    faults: tuple[str, ...]
    used_by: tuple[str, ...]
    remedy: str

    @property
    def is_peoples_work(self) -> bool:
        """Whether no run makes it again, so that a repair leaves it alone."""
        return self.folder in _PEOPLES_WORK

    def as_json(self) -> dict[str, Any]:
        """Its fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class CheckedStore:
    """How many artifacts were checked, the damaged ones, and aliases that point to no model."""

    num_artifacts: int
    damaged: tuple[DamagedArtifact, ...]
    lost_aliases: dict[str, str]
    """Alias -> id of the model that is missing or damaged."""


def check_store(store: ArtifactStore, *, deep: bool = False) -> CheckedStore:
    """Check all artifacts of a store.

    Args:
        store: the store.
        deep: whether the bytes of all files are read and compared with their sha256; without it
            their presence and size are checked.

    Raises:
        StoreError: the store can't be read.

    Example:
        checked = check_store(store, deep=True)
        repair_store(store, checked)  # then run again what made the damaged ones
    """
    refs = list(_stored(store))
    damaged = []
    for number, ref in enumerate(refs):
        report("check", number, len(refs), "artifacts")
        faults = store.faults(ref, deep=deep)
        if faults:
            damaged.append((ref, faults))
    mentions = _mentions(store, refs) if damaged else {}
    aliases = {alias: entry.model_id for alias, entry in all_champions(store).items()}
    whole = {ref.id for ref in refs if ref.folder == "models"} - {ref.id for ref, _ in damaged}
    return CheckedStore(
        num_artifacts=len(refs),
        damaged=tuple(
            DamagedArtifact(
                folder=ref.folder,
                id=ref.id,
                faults=tuple(faults),
                used_by=_users(ref, mentions, aliases),
                remedy=_BY_HAND.get(ref.folder, _BY_A_RUN),
            )
            for ref, faults in damaged
        ),
        lost_aliases={alias: model for alias, model in aliases.items() if model not in whole},
    )


def repair_store(store: ArtifactStore, checked: CheckedStore) -> tuple[DamagedArtifact, ...]:
    """Remove the descriptions of the damaged artifacts, so that the next run makes them again.

    Their files stay; what is made again overwrites them. People's decisions and labels, and the
    faces that these share, are left alone: no run makes them again.

    Returns:
        The artifacts that the store has forgotten.

    Raises:
        StoreError: the store can't be written.
    """
    forgotten = tuple(one for one in checked.damaged if not one.is_peoples_work)
    for artifact in forgotten:
        if store.has(f"{artifact.folder}/{artifact.id}/{ARTIFACT_FILE}"):
            store.forget(_ref(store, artifact.folder, artifact.id))
    return forgotten


def _stored(store: ArtifactStore) -> Iterator[ArtifactRef]:
    for kind in ARTIFACT_KINDS:
        for artifact_id in store.list_ids(kind):
            yield _ref(store, kind.folder, artifact_id)


def _ref(store: ArtifactStore, folder: str, artifact_id: str) -> ArtifactRef:
    kind = next(kind for kind in ARTIFACT_KINDS if kind.folder == folder)
    ref: ArtifactRef = kind.model_construct(
        id=artifact_id, url=store.artifact_url(kind, artifact_id)
    )
    return ref


def _mentions(store: ArtifactStore, refs: list[ArtifactRef]) -> dict[str, str]:
    """The description of every artifact as text, by its name in the store."""
    names = [f"{ref.folder}/{ref.id}" for ref in refs]
    return {
        name: store.read_bytes(f"{name}/{ARTIFACT_FILE}").decode(errors="replace") for name in names
    }


def _users(ref: ArtifactRef, mentions: dict[str, str], aliases: dict[str, str]) -> tuple[str, ...]:
    own = f"{ref.folder}/{ref.id}"
    named = [name for name, text in mentions.items() if name != own and ref.id in text]
    pointing = [alias for alias, model_id in aliases.items() if model_id == ref.id]
    return (*pointing, *named)
