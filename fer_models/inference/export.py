"""Export a stored network or ensemble as a weight bundle."""

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fer_models.bundles.bundle import full_network, half_weights, prefixed_tensors
from fer_models.bundles.facts import (
    FACTS_SUFFIX,
    NAME_PATTERN,
    WEIGHTS_SUFFIX,
    BundleFacts,
    EnsembleFacts,
)
from fer_models.combination.stored import Combination, read_combination
from fer_models.errors import StoreError
from fer_models.inference.familiar_faces import stored_familiarity
from fer_models.inference.measured import measured_speeds
from fer_models.inference.networks import LoadedModel, recorded_accuracy
from fer_models.onnx_files.write import Part
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA, MemberConfig
from fer_models.training.inputs.data import Preprocessing
from fer_models.training.predict import (
    ENSEMBLE,
    load_network,
    member_ref,
)

MAX_BYTES = 8_000_000


@dataclass(frozen=True)
class _Part:
    """A network to export: as it was stored, with weights in half precision."""

    model: ModelRef
    member: MemberConfig
    preprocessing: Preprocessing
    halves: dict[str, Tensor]

    def rounded(self) -> nn.Module:
        """The network with the weights of the bundle."""
        num_classes = len(self.preprocessing["classes"])
        return full_network(self.member.network, self.halves, self.model.url, num_classes)

    def facts(self) -> dict[str, Any]:
        return {
            "member": self.member.model_dump(mode="json"),
            "preprocessing": self.preprocessing,
        }


def write_bundle(
    store: ArtifactStore,
    model: ModelRef,
    folder: Path,
    *,
    name: str = "",
    command: str = "",
    machine: str = "",
    tta: TTA | None = None,
) -> BundleFacts | EnsembleFacts:
    """Write `<name>.safetensors` and `<name>.json` to `folder`, which is created if necessary.

    The accuracies are measured with the half-precision weights on the validation images;
    `validation_unseen` excludes exact duplicates of training images. If the images are no longer
    in the store, the accuracy from the training is used. A final fit has learned from the
    validation images: it is measured on the test images, if there are any.

    Args:
        store: contains the model and its training snapshot.
        model: a network or an ensemble, with all its members.
        folder: output folder.
        name: name of the bundle; the model's id by default.
        command: the command that trained the model, which the store does not record.
        machine: the machine of the training; its recorded platform by default.
        tta: test-time augmentation (TTA) of the predictions; that of the training by default.

    Raises:
        StoreError: the model is missing or damaged, a network is too large; or the folder can't be
            written or contains another bundle of that name.

    Example:
        facts = write_bundle(store, model, Path("bundles"), name="small")
        load_any_bundle("bundles/small.json")
    """
    from safetensors.torch import save

    name = name or model.id
    check_name(name)
    combination, parts = _parts(store, model, tta)
    weights = save(
        parts[0].halves
        if combination is None
        else {
            key: value
            for number, part in enumerate(parts)
            for key, value in prefixed_tensors(number, part.halves).items()
        }
    )
    check_folder(folder)
    _check_existing(folder, name, weights)
    loaded = LoadedModel(
        name=name,
        full_name=model.id,
        parts=[Part(part.rounded(), part.preprocessing) for part in parts],
        network_names=[part.member.name for part in parts],
        combination=combination,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        accuracy={},
        familiarity=stored_familiarity(store, model),
    )
    speeds = measured_speeds(store, model, loaded, [part.member.network for part in parts])
    common = {
        "name": name,
        "classes": parts[0].preprocessing["classes"],
        "weights_sha256": loaded.weights_sha256,
        "command": command,
        "accuracy": speeds["best"].accuracy or recorded_accuracy(store, model),
        "speeds": speeds,
        "familiarity": loaded.familiarity(),
        **_stored_facts(store, model, machine),
    }
    facts = _facts(common, parts, combination)
    _write(folder, name, weights, facts)
    return facts


def _parts(
    store: ArtifactStore, model: ModelRef, tta: TTA | None
) -> tuple[Combination | None, list[_Part]]:
    """The networks, and how they are combined; None for a single one."""
    if model.kind != ENSEMBLE:
        return None, [_part(store, model, tta)]
    combination, members = read_combination(store, model)
    refs = [member_ref(store, member.model_id, member.name) for member in members]
    return combination, [_part(store, ref, tta) for ref in refs]


def _part(store: ArtifactStore, model: ModelRef, tta: TTA | None) -> _Part:
    network, preprocessing = load_network(store, model)
    member = MemberConfig.model_validate_json(store.read_file(model, "config.json"))
    if tta is not None:
        member = member.model_copy(update={"tta": tta})
        preprocessing["tta"] = tta
    halves = half_weights(network)
    _check_size(model, sum(value.nbytes for value in halves.values()))
    return _Part(model, member, preprocessing, halves)


def _facts(
    common: dict[str, Any], parts: Sequence[_Part], combination: Combination | None
) -> BundleFacts | EnsembleFacts:
    if combination is None:
        return BundleFacts.model_validate({**common, **parts[0].facts()})
    members = [{"model_id": part.model.id, **part.facts()} for part in parts]
    return EnsembleFacts.model_validate(
        {**common, "members": members, "combination": combination.model_dump(mode="json")}
    )


def _stored_facts(store: ArtifactStore, model: ModelRef, machine: str) -> dict[str, Any]:
    info = store.info(model)
    lineage = store.read_json(model, "lineage.json")
    return {
        "seed": info["seed"],
        "train_seconds": info["train_seconds"],
        "snapshot_id": info["snapshot_id"],
        "machine": machine or lineage["platform"],
        "ferflow": lineage["ferflow"] or "unknown",
        "date": f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}",
    }


def check_name(name: str) -> None:
    """Reject a name that is not that of a bundle.

    Raises:
        StoreError: it is none.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise StoreError(
            f"expected a bundle name of a-z, 0-9, '.', '_' and '-', got {name!r}; change --name"
        )


def _check_size(model: ModelRef, num_bytes: int) -> None:
    if num_bytes > MAX_BYTES:
        raise StoreError(
            f"{model.url}: expected a network of at most {MAX_BYTES / 1e6:.0f} MB in half "
            f"precision, got {num_bytes / 1e6:.1f} MB; export a smaller one, or predict from the "
            f"store with --model {model.id}"
        )


def check_folder(folder: Path) -> None:
    """Reject a path that can't be a folder.

    Raises:
        StoreError: it can't.
    """
    try:
        existing_paths = (path for path in (folder, *folder.absolute().parents) if path.exists())
        nearest = next(existing_paths, folder)
        is_folder = nearest.is_dir()
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not is_folder:
        raise StoreError(f"{folder}: expected a folder, {nearest} is a file; choose another one")


def _check_existing(folder: Path, name: str, weights: bytes) -> None:
    """Reject a bundle of that name with other weights."""
    existing = folder / f"{name}{WEIGHTS_SUFFIX}"
    try:
        is_other = existing.exists() and existing.read_bytes() != weights
    except OSError as error:
        raise _unwritable(folder, error) from error
    if is_other:
        raise StoreError(
            f"{existing}: a bundle of that name with other weights exists; choose another --name, "
            "or remove the old bundle first"
        )


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"{folder}: can't write the bundle ({error.strerror}); choose another folder")


def _write(folder: Path, name: str, weights: bytes, facts: BundleFacts | EnsembleFacts) -> None:
    """Write the weights first; each file is written atomically."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / f"{name}{WEIGHTS_SUFFIX}", weights)
        text = facts.model_dump_json(indent=1) + "\n"
        _replace(folder / f"{name}{FACTS_SUFFIX}", text.encode())
    except OSError as error:
        raise _unwritable(folder, error) from error


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
