"""Export a stored network or ensemble as a weight bundle."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fer_models.bundles.bundle import full_network, half_weights
from fer_models.bundles.facts import BundleFacts, EnsembleFacts, SpeedFacts, WeightsFile
from fer_models.bundles.speed import Speed
from fer_models.combination.stored import Combination, read_combination
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import final_fit_of, model_ref
from fer_models.inference.bundle_folder import (
    check_folder,
    check_name,
    weights_files,
    write_files,
)
from fer_models.inference.familiar_faces import stored_familiarity
from fer_models.inference.measured import measured_speeds
from fer_models.inference.networks import LoadedModel, recorded_accuracy
from fer_models.onnx_files.write import Part
from fer_models.storage.refs import ENSEMBLE, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA, MemberConfig
from fer_models.training.inputs.data import Preprocessing
from fer_models.training.predict import load_network, member_ref

MAX_BYTES = 8_000_000


@dataclass(frozen=True)
class _Part:
    """A network to export: as it was stored, with weights in half precision."""

    model: ModelRef
    member: MemberConfig
    preprocessing: Preprocessing
    halves: dict[str, Tensor]
    training: dict[str, Any]
    """Its seed and seconds."""

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

    The weights of an ensemble are one file for each network, `<name>-1.safetensors`; those that are
    in the folder already, in another bundle, are not written again.

    Accuracies, and the temperature of a network at each speed, are measured with the half-precision
    weights on the validation images; `validation_unseen` excludes exact duplicates of training
    images. If the images are no longer in the store, the accuracy from the training is used, and
    nothing is calibrated. A final fit has learned from the validation images: it is measured on the
    test images, if there are any, and the network that it repeats on the validation images.

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
    weights = [save(part.halves) for part in parts]
    check_folder(folder)
    files, sha256 = weights_files(folder, name, weights, is_ensemble=combination is not None)
    loaded = _loaded(store, model, parts, combination, sha256)
    base = final_fit_of(store, model)
    selected = None if base is None else _stored(store, base)
    speeds = measured_speeds(store, model, loaded, [part.member.network for part in parts])
    if selected is not None:
        speeds = _with_those_before(speeds, _measured(store, selected, tta))
    common = {
        "name": name,
        "classes": parts[0].preprocessing["classes"],
        "weights_sha256": loaded.weights_sha256,
        "command": command,
        "accuracy": speeds["best"].accuracy or recorded_accuracy(store, selected or model),
        "final_fit_of": base or "",
        "speeds": speeds,
        "familiarity": loaded.familiarity(),
        **_stored_facts(store, model, machine),
    }
    facts = _facts(common, parts, combination, files)
    named = {file.name: content for file, content in zip(files, weights, strict=True)}
    write_files(folder, name, named, facts)
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
    info = store.info(model)
    training = {key: info[key] for key in ("seed", "train_seconds")}
    return _Part(model, member, preprocessing, halves, training)


def _loaded(
    store: ArtifactStore,
    model: ModelRef,
    parts: Sequence[_Part],
    combination: Combination | None,
    sha256: str = "",
) -> LoadedModel:
    """The model with the weights of a bundle."""
    return LoadedModel(
        name=model.name,
        full_name=model.id,
        parts=[Part(part.rounded(), part.preprocessing) for part in parts],
        network_names=[part.member.name for part in parts],
        combination=combination,
        weights_sha256=sha256,
        accuracy={},
        familiarity=stored_familiarity(store, model),
    )


def _stored(store: ArtifactStore, model_id: str) -> ModelRef | None:
    """The model, if it was not deleted."""
    try:
        return model_ref(store, model_id)
    except StoreError:
        return None


def _measured(store: ArtifactStore, model: ModelRef, tta: TTA | None) -> dict[Speed, SpeedFacts]:
    combination, parts = _parts(store, model, tta)
    loaded = _loaded(store, model, parts, combination)
    return measured_speeds(store, model, loaded, [part.member.network for part in parts])


def _with_those_before(
    speeds: Mapping[Speed, SpeedFacts], before: Mapping[Speed, SpeedFacts]
) -> dict[Speed, SpeedFacts]:
    """The speeds of a final fit, with accuracies and temperatures of the model that it repeats."""
    found = {}
    for speed, one in speeds.items():
        accuracy = {**before[speed].accuracy, **one.accuracy}
        update = {"accuracy": accuracy, "temperature": before[speed].temperature}
        found[speed] = one.model_copy(update=update)
    return found


def _facts(
    common: dict[str, Any],
    parts: Sequence[_Part],
    combination: Combination | None,
    files: Sequence[WeightsFile],
) -> BundleFacts | EnsembleFacts:
    if combination is None:
        return BundleFacts.model_validate({**common, **parts[0].facts()})
    members = [
        {
            "model_id": part.model.id,
            "weights": file.model_dump(),
            **part.training,
            **part.facts(),
        }
        for part, file in zip(parts, files, strict=True)
    ]
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


def _check_size(model: ModelRef, num_bytes: int) -> None:
    if num_bytes > MAX_BYTES:
        raise StoreError(
            f"{model.url}: expected a network of at most {MAX_BYTES / 1e6:.0f} MB in half "
            f"precision, got {num_bytes / 1e6:.1f} MB; export a smaller one, or predict from the "
            f"store (`ferflow predict --model {model.id}`)"
        )
