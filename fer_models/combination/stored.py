"""The combination of an ensemble as it is stored with the model, and as it predicts."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from fer_models.base_config import FrozenConfig
from fer_models.combination.rules import Rule
from fer_models.errors import StoreError
from fer_models.evaluation.temperature import apply_temperature
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

COMBINATION_FILE = "combination.json"
MEMBERS_FILE = "members.json"
WEIGHTS_FILE = "weights.safetensors"


class Combination(FrozenConfig):
    """A rule and the temperature that calibrates its probabilities.

    Example:
        combination, members = read_combination(store, ensemble)
        combination.predict(np.stack([predict_model(store, one, images) for one in networks]))
    """

    method: str
    """How the rule was fitted: an entry of `ensemble.methods`."""
    rule: Rule
    temperature: float = Field(gt=0, allow_inf_nan=False)
    """Above 1 the probabilities become less confident."""

    def predict(self, probs_MNK: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """The ensemble's probabilities from those of its members, M x N x K to N x K float32."""
        combined_NK = self.rule.combine(probs_MNK.astype(np.float64))
        return apply_temperature(combined_NK, self.temperature).astype(np.float32)


class StoredMember(FrozenConfig):
    """A network of an ensemble; its weights are identified by their sha256."""

    model_id: str
    name: str
    weights_sha256: str


def combination_files(
    combination: Combination, members: Sequence[StoredMember]
) -> dict[str, bytes]:
    """The files of an ensemble that make it predict: `combination.json` and `members.json`."""
    return {
        COMBINATION_FILE: json_bytes(combination.model_dump(mode="json"), sort_keys=False),
        MEMBERS_FILE: json_bytes([m.model_dump() for m in members], sort_keys=False),
    }


def read_combination(
    store: ArtifactStore, model: ModelRef
) -> tuple[Combination, tuple[StoredMember, ...]]:
    """The combination of a stored ensemble, and its members in the order of the rule.

    Raises:
        StoreError: the ensemble is missing, damaged or of an older version, or a member's weights
            are missing or not those that it was built from; lists all problems.
    """
    if COMBINATION_FILE not in store.describe(model).files:
        raise StoreError(
            f"{model.url}: expected an ensemble with a {COMBINATION_FILE}; it was built by an "
            "older version, so build it again (ferflow task ensemble)"
        )
    try:
        combination = Combination.model_validate_json(store.read_file(model, COMBINATION_FILE))
        rows = store.read_json(model, MEMBERS_FILE)
        members = tuple(StoredMember.model_validate(row) for row in rows)
    except ValidationError as error:
        raise StoreError(
            f"{model.url}: expected a combination of this version; build the ensemble again "
            f"(ferflow task ensemble): {error.errors(include_url=False)[0]['msg']}"
        ) from error
    _check_members(store, model, combination, members)
    return combination, members


def weights_sha256(store: ArtifactStore, model: ModelRef) -> str:
    """The sha256 of a stored network's weights; empty if it has none.

    Raises:
        StoreError: the model is missing.
    """
    entry = store.describe(model).files.get(WEIGHTS_FILE)
    return entry.sha256 if entry is not None else ""


def stored_member(store: ArtifactStore, network: ModelRef) -> StoredMember:
    """The entry of a stored network in an ensemble.

    Raises:
        StoreError: the network is missing.
    """
    return StoredMember(
        model_id=network.id, name=network.name, weights_sha256=weights_sha256(store, network)
    )


def joint_sha256(sha256s: Iterable[str]) -> str:
    """One sha256 for the weights of several networks, from that of each."""
    return hashlib.sha256("".join(sha256s).encode()).hexdigest()


def _check_members(
    store: ArtifactStore,
    model: ModelRef,
    combination: Combination,
    members: Sequence[StoredMember],
) -> None:
    problems = []
    if len(members) != combination.rule.num_members:
        problems.append(
            f"the rule combines {combination.rule.num_members} members, {MEMBERS_FILE} lists "
            f"{len(members)}"
        )
    for member in members:
        ref = store.ref(ModelRef, member.model_id, name=member.name)
        if not store.exists(ref):
            problems.append(f"member {member.model_id} is not in the store")
        elif (found := weights_sha256(store, ref)) != member.weights_sha256:
            problems.append(
                f"member {member.model_id} has weights {found[:12] or 'none'}, expected "
                f"{member.weights_sha256[:12] or 'none'}"
            )
    if problems:
        raise StoreError(
            f"{model.url}: the members are not those that the ensemble was built from; restore "
            "them, or build the ensemble again (ferflow task ensemble)",
            problems,
        )
