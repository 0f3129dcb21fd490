"""Pretrained weights from a folder, with random weights in timm's format."""

import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from fer_models.errors import ConfigError
from fer_models.models.catalogue import BASELINES
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network, build_network
from fer_models.models.pretrained import timm_weights as pretrained
from fer_models.models.pretrained.start import (
    check_pretrained,
    pretrained_fingerprint,
    without_weights_dir,
)

Weights = dict[str, torch.Tensor]


def random_weights(name: str, image_size_px: int | None = None) -> Weights:
    """Random weights in timm's published form: three channels, 1000 classes."""
    options = {} if image_size_px is None else {"img_size": image_size_px}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        network = timm.create_model(name, **options)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
    return network.state_dict()


def loaded_weights(name: str, folder: Path, **settings: int) -> Weights:
    config = NetworkConfig(name=name, pretrained=True, weights_dir=str(folder), **settings)
    return build_network(config).state_dict()


def load_error(name: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded_weights(name, folder)
    return str(caught.value)


@pytest.mark.parametrize("name", ["test_resnet", "resnet10t", "test_vit"])
@pytest.mark.parametrize("channels", [1, 3])
def test_weights_in_a_folder_are_loaded_and_the_classifier_is_new(
    tmp_path: Path, name: str, channels: int
) -> None:
    weights = random_weights(name)
    save_file(weights, tmp_path / f"{name}.safetensors")
    size = 160 if name == "test_vit" else 48
    loaded = loaded_weights(name, tmp_path, in_channels=channels, image_size_px=size)
    first_conv, classifier = (
        timm.get_pretrained_cfg(name).first_conv + ".weight",
        timm.get_pretrained_cfg(name).classifier,
    )
    assert loaded[f"{classifier}.weight"].shape[0] == 7
    kernels = weights[first_conv] if channels == 3 else weights[first_conv].sum(1, keepdim=True)
    torch.testing.assert_close(loaded[first_conv], kernels)
    for key in weights.keys() - {first_conv, f"{classifier}.weight", f"{classifier}.bias"}:
        torch.testing.assert_close(loaded[key], weights[key], rtol=0, atol=0)


def test_position_embeddings_of_224_px_are_resized_to_48_px(tmp_path: Path) -> None:
    weights = random_weights("vit_tiny_patch16_224")
    torch.save(weights, tmp_path / "vit_tiny_patch16_224.pth")
    loaded = loaded_weights("vit_tiny_patch16_224", tmp_path)
    before, after = weights["pos_embed"], loaded["pos_embed"]
    assert (before.shape[1], after.shape[1]) == (1 + 14 * 14, 1 + 3 * 3)
    grid = before[:, 1:].reshape(1, 14, 14, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, (3, 3), mode="bicubic", antialias=True)
    torch.testing.assert_close(after[:, 1:], grid.flatten(2).transpose(1, 2))
    torch.testing.assert_close(after[:, 0], before[:, 0])


@pytest.mark.parametrize(
    "file",
    [
        *("test_resnet.safetensors", "test_resnet.bin", "test_resnet.pth"),
        *("test_resnet.r160_in1k.safetensors", "timm--test_resnet.r160_in1k/model.safetensors"),
        "timm--test_resnet.r160_in1k/pytorch_model.bin",
        "models--timm--test_resnet.r160_in1k/snapshots/abc/model.safetensors",
    ],
)
def test_files_may_have_the_names_of_timm_or_of_the_hub(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = random_weights("test_resnet")
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    if "snapshots" in file:
        refs = tmp_path / "models--timm--test_resnet.r160_in1k/refs"
        refs.mkdir()
        (refs / "main").write_text("abc")
    loaded = loaded_weights("test_resnet", tmp_path)
    torch.testing.assert_close(loaded["layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])


def test_a_missing_folder_or_file_lists_the_names_tried(tmp_path: Path) -> None:
    absent = load_error("test_resnet", tmp_path / "absent")
    assert "expected a folder" in absent
    assert "found nothing" in absent
    (tmp_path / "other.txt").write_text("")
    assert "found a file" in load_error("test_resnet", tmp_path / "other.txt")
    message = load_error("test_resnet", tmp_path)
    for part in (
        *("test_resnet.safetensors", "test_resnet.bin", "test_resnet.pth"),
        *("timm--test_resnet.r160_in1k/model.safetensors", "the folder holds other.txt"),
        "network.pretrained=false",
    ):
        assert part in message


def test_weights_of_another_network_are_rejected(tmp_path: Path) -> None:
    resnet = random_weights("test_resnet")
    save_file(random_weights("resnet10t"), tmp_path / "test_resnet.safetensors")
    assert "size mismatch" in load_error("test_resnet", tmp_path)
    # timm itself would accept this file and leave the weights random.
    renamed = {f"encoder.{key}": value for key, value in resnet.items()}
    save_file(renamed, tmp_path / "test_resnet.safetensors")
    assert "weights are not in it (conv1.0.weight, " in load_error("test_resnet", tmp_path)
    incomplete = {key: value for key, value in resnet.items() if key != "layer2.0.conv1.weight"}
    save_file(incomplete, tmp_path / "test_resnet.safetensors")
    message = load_error("test_resnet", tmp_path)
    assert "1 of the network's" in message
    assert "(layer2.0.conv1.weight)" in message


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_damaged_file_is_reported(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"test_vit{suffix}").write_bytes(b"no weights at all")
    message = load_error("test_vit", tmp_path)
    assert f"test_vit{suffix} can't be loaded" in message
    assert "network.pretrained=false" in message


def test_a_size_the_network_cannot_take_is_not_blamed_on_the_weights(tmp_path: Path) -> None:
    save_file(random_weights("dla46_c"), tmp_path / "dla46_c.safetensors")
    assert "can't take 48 px images" in load_error("dla46_c", tmp_path)


def test_loading_does_not_change_the_random_state(tmp_path: Path) -> None:
    save_file(random_weights("test_resnet"), tmp_path / "test_resnet.safetensors")
    draws = []
    for config in (
        NetworkConfig(name="test_resnet"),
        NetworkConfig(name="test_resnet", pretrained=True, weights_dir=str(tmp_path)),
    ):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            build_network(config)
            draws.append(torch.rand(4))
    assert torch.equal(*draws)


def test_an_empty_network_needs_no_weights_folder(tmp_path: Path) -> None:
    folder = str(tmp_path / "gone")
    build_empty_network(NetworkConfig(name="test_resnet", pretrained=True, weights_dir=folder))


def test_a_weights_folder_without_pretrained_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"would train from scratch; set pretrained=true"):
        NetworkConfig(name="test_resnet", weights_dir="somewhere")


def test_the_fingerprint_depends_on_the_content_not_on_the_folder(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    weights = random_weights("test_resnet")
    save_file(weights, here / "test_resnet.safetensors")
    shutil.copytree(here, there)
    first, copied = (
        NetworkConfig(name="test_resnet", pretrained=True, weights_dir=str(folder))
        for folder in (here, there)
    )
    fingerprint = pretrained_fingerprint(first)
    assert fingerprint is not None
    assert fingerprint.startswith("sha256:")
    assert pretrained_fingerprint(copied) == fingerprint
    assert without_weights_dir(first) == without_weights_dir(copied)
    changed = load_file(there / "test_resnet.safetensors")
    changed["conv1.0.weight"] += 1
    save_file(changed, there / "test_resnet.safetensors")
    assert pretrained_fingerprint(copied) not in (None, fingerprint)
    assert pretrained_fingerprint(NetworkConfig()) is None
    hub = NetworkConfig(name="test_resnet", pretrained=True)
    assert pretrained_fingerprint(hub) == "hub:timm/test_resnet.r160_in1k"


def test_all_missing_weights_are_reported_together(tmp_path: Path) -> None:
    configs = [
        NetworkConfig(name=name, pretrained=True, weights_dir=str(tmp_path))
        for name in ("test_resnet", "test_vit")
    ]
    with pytest.raises(ConfigError) as caught:
        check_pretrained([*configs, NetworkConfig()])
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "network test_resnet",
        "network test_vit",
    ]


def test_the_hub_is_checked_once_for_all_missing_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[None] = []
    monkeypatch.setattr(pretrained, "cached_file", lambda *_: None)
    monkeypatch.setattr(pretrained, "hub_problem", lambda: checks.append(None) or "no network")
    with pytest.raises(ConfigError) as caught:
        check_pretrained([NetworkConfig(name=name, pretrained=True) for name in BASELINES])
    assert len(caught.value.problems) == len(BASELINES)
    assert len(checks) == 1


@pytest.mark.parametrize("from_weights", [True, False])
def test_an_unknown_weights_tag_is_reported(from_weights: bool) -> None:
    with pytest.raises(ConfigError, match=r"Invalid pretrained tag.*ferflow networks list --timm"):
        build_network(NetworkConfig(name="resnet10t.nope", pretrained=from_weights))
