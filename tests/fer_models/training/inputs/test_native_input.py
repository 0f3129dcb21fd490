"""A network reads images as they are stored, unless its settings say otherwise."""

import json

import numpy as np
import pytest

from fer_models.dataset.snapshot import MANIFEST_DTYPES, open_snapshot, write_snapshot
from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.folds.train import fit_fold
from fer_models.training.inputs.native_input import with_native_input
from fer_models.training.train import train_member
from fer_models.tuning.config import SearchDimension, TuningConfig
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.faces import write_faces

OPEN = MEMBER.model_copy(update={"network": NetworkConfig(width=0.25)})
"""A member whose network says nothing of its input."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """A store for all tests: none of them changes what another one reads."""
    return ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("inputs"))))


@pytest.fixture(scope="module")
def in_colour(store: ArtifactStore) -> SnapshotRef:
    """The small snapshot of stripes, stored as 64 px RGB images."""
    grey = open_snapshot(store, write_faces(store, 28, 14, 7))
    enlarged = np.kron(grey.images, np.ones((1, 2, 2), np.uint8))[:, 16:80, 16:80]
    images = np.repeat(enlarged[..., None], 3, axis=3)
    info = {"image_format": {"size_px": 64, "channels": 3, "fit": "stretch"}}
    table = grey.manifest.astype(MANIFEST_DTYPES)
    return write_snapshot(store, table, images, "split", info=info)


def input_of(store: ArtifactStore, snapshot: SnapshotRef, **network: object) -> tuple[int, int]:
    member = MemberConfig(name="a", network=NetworkConfig.model_validate(network))
    read = with_native_input(store, snapshot, member).network
    assert (read.image_size_px, read.in_channels) == (read.side_px, read.input_channels)
    return read.side_px, read.input_channels


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, (64, 3)),
        ({"name": "resnet10t"}, (64, 3)),
        ({"name": "vit_tiny_patch16_224"}, (64, 3)),
        ({"image_size_px": 40}, (40, 3)),
        ({"in_channels": 1}, (64, 1)),
        ({"image_size_px": 48, "in_channels": 1}, (48, 1)),
        # What the shipped weights know, and the only size of published ones.
        ({"name": "face_cnn", "pretrained": True}, (48, 1)),
        ({"name": "face_cnn", "pretrained": True, "image_size_px": 64}, (64, 1)),
        ({"name": "resnet10t", "pretrained": True}, (64, 3)),
        ({"name": "vit_tiny_patch16_224", "pretrained": True}, (224, 3)),
        ({"name": "dlib_resnet"}, (64, 3)),
        ({"name": "dlib_resnet", "pretrained": True}, (96, 3)),
    ],
)
def test_what_is_not_set_follows_the_stored_images(
    store: ArtifactStore,
    in_colour: SnapshotRef,
    network: dict[str, object],
    expected: tuple[int, int],
) -> None:
    assert input_of(store, in_colour, **network) == expected


@pytest.mark.parametrize("name", ["compact_cnn", "scratch_mlp", "resnet10t"])
def test_images_of_fer2013s_size_give_the_config_that_says_so(
    store: ArtifactStore, name: str
) -> None:
    snapshot = write_faces(store, 14, 7, 7)
    assert input_of(store, snapshot, name=name) == (48, 1)
    open_one, said = (
        MemberConfig(name="a", network=NetworkConfig(name=name, **more))  # type: ignore[arg-type]
        for more in ({}, {"image_size_px": 48, "in_channels": 1})
    )
    assert with_native_input(store, snapshot, open_one) == said


def test_models_and_folds_are_trained_on_the_stored_images(
    store: ArtifactStore, in_colour: SnapshotRef
) -> None:
    training = MEMBER.training.model_copy(update={"epochs": 1})
    member = OPEN.model_copy(update={"training": training})
    notes: list[Progress] = []
    with listening(notes.append):
        model = train_member(store, in_colour, member, 0, UNTRACKED)
    assert not [one.note for one in notes if "--set" in one.note]
    stored = json.loads(store.read_file(model, "config.json"))["network"]
    preprocessing = json.loads(store.read_file(model, "preprocessing.json"))
    for one in (stored, preprocessing):
        assert (one["image_size_px"], one["in_channels"]) == (64, 3)
    two_folds = member.model_dump() | {"out_of_fold": {"folds": 2}}
    fold = fit_fold(store, in_colour, MemberConfig.model_validate(two_folds), 0, UNTRACKED, 0)
    assert json.loads(store.read_file(fold, "config.json"))["network"]["in_channels"] == 3


def test_a_search_tries_the_network_that_will_be_trained(
    store: ArtifactStore, in_colour: SnapshotRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_models.tuning import tune

    seen: list[MemberConfig] = []

    def demand(_: object, member: MemberConfig, __: int) -> None:
        seen.append(member)
        raise InterruptedError

    monkeypatch.setattr(tune, "trial_demand", demand)
    rate = SearchDimension(field="training.learning_rate", kind="uniform", low=0.1, high=0.2)
    with pytest.raises(InterruptedError):
        tune.tune_member(store, in_colour, OPEN, TuningConfig(search_space=(rate,)), 0)
    assert (seen[0].network.image_size_px, seen[0].network.in_channels) == (64, 3)
