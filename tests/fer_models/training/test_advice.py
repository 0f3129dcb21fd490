"""Settings that messages about training and tuning name: following them changes the outcome."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import FerError, TrainingError
from fer_models.models.factory import build_empty_network, build_network
from fer_models.models.freezing import classifier_of
from fer_models.models.pretrained.start import check_pretrained
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.distributed.train import _require_images
from fer_models.training.engine.fit import require_batches
from fer_models.training.inputs.data import SplitImages, TrainingData, training_data
from fer_models.training.inputs.progressive_resizing import require_start_size
from fer_models.training.lr_finder import lr_find
from fer_models.training.resumable import started_data
from fer_models.training.runtime import reraise_oom, resolve_precision
from fer_models.training.train import train_member
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.schedulers.perturbation import check_population
from flows.recipes.assign import assign_all
from tests.fer_models.following import SETTING, advice, changed, refusal
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces

Check = Callable[[MemberConfig], object]


def batches(member: MemberConfig) -> None:
    require_batches(build_empty_network(member.network), member)


def start_size(member: MemberConfig) -> None:
    require_start_size(build_empty_network(member.network), member)


def network(member: MemberConfig) -> None:
    build_network(member.network)


def frozen(member: MemberConfig) -> None:
    if member.training.frozen_epochs:
        classifier_of(torch.nn.Conv2d(1, 7, 1), "training.frozen_epochs")


def pretrained(member: MemberConfig) -> None:
    check_pretrained([member.network])


@pytest.mark.parametrize(
    ("check", "settings"),
    [
        (batches, ["training.batch_size=1"]),
        (batches, ["training.batch_size=5", "training.workers=3"]),
        (batches, ["training.batch_size=1", "training.workers=2", "network.name=scratch_mlp"]),
        (start_size, ["training.start_size_px=96"]),
        (start_size, ["network.name=vit_tiny_patch16_224", "training.start_size_px=20"]),
        (network, ["network.name=scratch_mlp", "network.gradient_checkpointing=true"]),
        (frozen, ["training.frozen_epochs=2"]),
    ],
)
def test_the_one_setting_that_a_message_names_is_accepted(
    check: Check, settings: list[str]
) -> None:
    member = changed(MEMBER, "network.width=1", *settings)
    [proposed] = dict.fromkeys(advice(refusal(check, member)))
    check(changed(member, proposed))


def test_a_size_that_a_network_can_not_take_is_replaced_as_proposed() -> None:
    member = changed(MEMBER, "network.name=dla46_c")
    message = refusal(network, member)
    size = re.search(r"set network\.image_size_px to a size it supports \((\d+) for most", message)
    assert size
    network(changed(member, f"network.image_size_px={size[1]}"))


def test_pretrained_weights_that_do_not_exist_are_replaced_as_proposed() -> None:
    member = changed(MEMBER, "network.pretrained=true", "network.width=0.5")
    problems = [*_problems(member)]
    assert "network.pretrained=false" in problems[0]
    pretrained(changed(member, "network.pretrained=false"))
    offers = re.findall(r"network\.name=(\w+) and network\.width=([\d.]+)", problems[0])
    assert offers
    for name, width in offers:
        pretrained(changed(member, f"network.name={name}", f"network.width={width}"))


def _problems(member: MemberConfig) -> tuple[str, ...]:
    with pytest.raises(FerError) as caught:
        pretrained(member)
    return caught.value.problems or (caught.value.message,)


def test_half_precision_without_a_gpu_is_replaced_as_proposed() -> None:
    device = torch.device("cpu")
    member = changed(MEMBER, "training.precision=16-mixed")
    message = refusal(lambda one: resolve_precision(one.training, device), member)
    for name in ("auto", "bf16-mixed", "32-true"):
        assert name in message.partition("use ")[2]
        resolve_precision(changed(member, f"training.precision={name}").training, device)


DIVERGING = [
    "network.name=scratch_mlp",
    "training.optimizer=sgd",
    "training.weight_decay=0",
    "training.gradient_clip=0",
    "training.precision=32-true",
    "training.learning_rate=10",
]


def test_a_loss_that_is_not_finite_becomes_so_as_proposed(store: ArtifactStore) -> None:
    snapshot = write_faces(store)
    member = changed(MEMBER, *DIVERGING)
    message = refusal(lambda one: train_member(store, snapshot, one, 0, UNTRACKED), member)
    rate, clip = advice(message)  # nothing about the precision, which is exact already
    assert rate.startswith("training.learning_rate=1")
    assert clip == "training.gradient_clip=1"
    train_member(store, snapshot, changed(member, clip), 0, UNTRACKED)
    for _ in range(4):
        member = changed(member, rate)
        try:
            train_member(store, snapshot, member, 0, UNTRACKED)
        except TrainingError as error:
            rate = advice(error.message)[0]
        else:
            return
    pytest.fail("the loss is still not finite")


def test_the_search_of_a_learning_rate_names_only_what_would_change(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.training.lr_finder.MIN_RATE", 9.0)
    split = training_data(open_snapshot(trained.store, trained.snapshot)).train
    member = changed(MEMBER, *DIVERGING)
    message = refusal(lambda one: lr_find(split, one, 0, 20), member)
    assert advice(message) == ["training.gradient_clip=1"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["training.batch_size=64"], ["training.batch_size=32"]),
        (["training.batch_size=1"], []),
        (
            ["training.batch_size=3", "training.precision=32-true"],
            ["training.batch_size=1", "training.precision=bf16-mixed"],
        ),
    ],
)
def test_lack_of_memory_names_only_what_needs_less(
    settings: list[str], expected: list[str]
) -> None:
    member = changed(MEMBER, *settings)

    def fails(one: MemberConfig) -> None:
        with reraise_oom(one):
            raise MemoryError

    proposed = advice(refusal(fails, member))
    assert proposed == expected
    after = changed(member, *proposed)
    assert after.training.batch_size <= member.training.batch_size


def data_of(num_train: int, num_validation: int) -> TrainingData:
    train, validation = (
        SplitImages(
            np.zeros((count, 48, 48), np.uint8),
            np.zeros(count, np.int64),
            np.zeros((count, 7), np.float32),
        )
        for count in (num_train, num_validation)
    )
    return TrainingData(train, validation)


@pytest.mark.parametrize("sizes", [(9, 50), (50, 3), (2, 1)])
def test_the_number_of_workers_for_few_images_is_named(sizes: tuple[int, int]) -> None:
    data, member = data_of(*sizes), changed(MEMBER, "training.workers=8")
    [proposed] = advice(refusal(lambda one: _require_images(data, one), member))
    _require_images(data, changed(member, proposed))


def test_settings_that_a_population_does_not_allow_are_named() -> None:
    dimension = SearchDimension(
        field="training.learning_rate", kind="log_uniform", low=1e-3, high=1e-2
    )
    tuning: dict[str, Any] = {
        "scheduler": "pbt",
        "search": "optuna",
        "num_trials": 4,
        "search_space": [dimension.model_dump()],
    }
    with pytest.raises(FerError) as caught:
        check_population(TuningConfig.model_validate(tuning))
    settings = {"tuning": tuning}
    proposed = [f"{name}={value}" for name, value in SETTING.findall(caught.value.problems[0])]
    assert assign_all(settings, proposed, "--set") == []
    check_population(TuningConfig.model_validate(settings["tuning"]))


def test_a_setting_of_members_changes_all_or_the_one_that_is_named() -> None:
    members = [one.model_dump() for one in (MEMBER, MEMBER.model_copy(update={"name": "b"}))]
    settings = {"members": members}
    assert (
        assign_all(settings, ["training.batch_size=5", "members.b.training.epochs=9"], "-s") == []
    )
    assert [one["training"]["batch_size"] for one in members] == [5, 5]
    assert [one["training"]["epochs"] for one in members] == [4, 9]
    assert assign_all(settings, ["training.batch=1"], "--set") == [
        "--set training.batch: unknown setting 'batch'; did you mean 'batch_size'?"
    ]


def _images(side_px: int, channels: int) -> TrainingData:
    shape = (4, side_px, side_px) if channels == 1 else (4, side_px, side_px, channels)
    images = SplitImages(np.zeros(shape, dtype=np.uint8), np.arange(4))
    return TrainingData(images, images)


@pytest.mark.parametrize(
    ("side_px", "channels", "expected"),
    [
        (48, 1, ""),
        (56, 1, ""),
        (96, 1, "96 px images are reduced to 48 px"),
        (48, 3, "colour is not used"),
        (96, 3, "96 px images are reduced to 48 px and colour is not used"),
    ],
)
def test_a_training_says_what_of_the_images_it_does_not_use(
    store: ArtifactStore, side_px: int, channels: int, expected: str
) -> None:
    data = _images(side_px, channels)

    def notes(member: MemberConfig) -> list[str]:
        seen: list[Progress] = []
        with listening(seen.append):
            started_data(store, data, member)
        return [event.note for event in seen if "--set" in event.note]

    (note,) = notes(MEMBER) or [""]
    assert expected in note
    if expected:
        settings = note.partition("to use them: ")[2].replace("--set ", "").split()
        config = {"members": [MEMBER.model_dump(mode="json")]}
        assert assign_all(config, settings, "--set") == []
        assert notes(MemberConfig.model_validate(config["members"][0])) == []
    else:
        assert note == ""
