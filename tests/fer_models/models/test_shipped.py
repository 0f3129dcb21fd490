"""Own networks start from the weights that ferflow ships, with a new classifier."""

import json
from pathlib import Path

import pytest
import torch

from fer_models.bundles.bundle import load_bundle
from fer_models.errors import ConfigError
from fer_models.models import names
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network
from fer_models.models.freezing import classifier_of
from fer_models.models.pretrained import shipped as module
from fer_models.models.pretrained.shipped import shipped_networks
from fer_models.models.pretrained.start import check_pretrained, pretrained_fingerprint

SMALL = NetworkConfig(name="face_cnn", width=0.65, pretrained=True)


def built(config: NetworkConfig, num_classes: int, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(config, num_classes).eval()


def features(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    seen: list[torch.Tensor] = []
    classifier = classifier_of(network, "test")
    handle = classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network(images)
    handle.remove()
    return seen[0]


def test_features_are_those_of_the_bundle_and_the_classifier_is_new() -> None:
    network = built(SMALL, 4, seed=1)
    assert classifier_of(network, "test").out_features == 4
    images = torch.rand(3, 1, 40, 40)
    shipped = load_bundle("face_cnn").network
    torch.testing.assert_close(features(network, images), features(shipped, images))
    other = built(SMALL, 4, seed=2)
    weights = (classifier_of(one, "test").weight for one in (network, other))
    assert not torch.equal(*weights)


def test_three_equal_channels_give_the_features_of_the_grey_image() -> None:
    colour = built(SMALL.model_copy(update={"in_channels": 3}), 4, seed=1)
    grey = torch.rand(3, 1, 40, 40)
    expected = features(built(SMALL, 4, seed=1), grey)
    torch.testing.assert_close(features(colour, grey.expand(-1, 3, -1, -1)), expected)


def test_of_several_shipped_networks_the_first_by_name_is_the_start() -> None:
    """`face_cnn_large` and `face_cnn_soup` are one architecture."""
    config = NetworkConfig(name="face_cnn", image_size_px=48, pretrained=True)
    images = torch.rand(2, 1, 48, 48)
    first, later = (load_bundle(name).network for name in ("face_cnn_large", "face_cnn_soup"))
    found = features(built(config, 7, seed=1), images)
    torch.testing.assert_close(found, features(first, images))
    assert not torch.allclose(found, features(later, images))


@pytest.mark.parametrize("shipped", list(shipped_networks()), ids=str)
def test_every_shipped_network_is_a_start(shipped: NetworkConfig) -> None:
    config = shipped.model_copy(update={"pretrained": True})
    check_pretrained([config])
    fingerprint = pretrained_fingerprint(config)
    assert fingerprint is not None
    assert fingerprint.startswith("sha256:")


def test_missing_weights_are_found_before_a_training() -> None:
    wide = NetworkConfig(name="face_cnn", width=0.8, pretrained=True)
    with pytest.raises(ConfigError, match="weights are missing") as caught:
        check_pretrained([wide, NetworkConfig(name="scratch_mlp", pretrained=True), SMALL])
    assert len(caught.value.problems) == 2
    assert "width=0.65" in caught.value.problems[0]


def test_ensembles_final_fits_and_networks_of_timm_are_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, timm = ({"member": {"network": {"name": name}}} for name in ("face_cnn", "resnet18"))
    final = own | {"final_fit_of": "own-1"}
    shipped = {"final": final, "own": own, "timm": timm, "pair": {"members": []}}
    for name, facts in shipped.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(facts))
        if name != "pair":
            (tmp_path / f"{name}.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(names, "SHIPPED", tmp_path)
    monkeypatch.setattr(module, "SHIPPED", tmp_path)
    teachers = names.shipped_teachers.__wrapped__()
    assert teachers == ("own", "pair", "timm")
    monkeypatch.setattr(names, "shipped_teachers", lambda: teachers)
    found = names.shipped_names.__wrapped__()
    assert found == ("own", "timm")
    monkeypatch.setattr(module, "shipped_names", lambda: found)
    starts = shipped_networks.__wrapped__()
    assert starts == {NetworkConfig(name="face_cnn"): "own.safetensors"}
