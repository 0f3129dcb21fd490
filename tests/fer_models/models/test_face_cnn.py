"""The options of face_cnn."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import fer_models
from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network
from fer_models.models.pretrained.start import check_pretrained
from fer_models.models.summary import summarize
from fer_models.training.checkpoint_dir import member_identity
from fer_models.training.config import MemberConfig


def built(seed: int = 0, **options: object) -> torch.nn.Module:
    config = NetworkConfig.model_validate({"name": "face_cnn", "width": 0.35, **options})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(config)


def test_without_options_it_is_the_network_that_it_was() -> None:
    shipped = load_file(Path(fer_models.__file__).parent / "weights" / "face_cnn_large.safetensors")
    network = build_network(NetworkConfig(name="face_cnn"))
    shapes = {name: weights.shape for name, weights in network.state_dict().items()}
    assert shapes == {name: weights.shape for name, weights in shipped.items()}


@pytest.mark.parametrize(
    ("options", "multiply_adds"),
    [({}, 1.0), ({"stem_stride": 1}, 3.9), ({"image_size_px": 96}, 4.0), ({"blocks": 2}, 1.2)],
)
def test_multiply_adds_by_option(options: dict[str, object], multiply_adds: float) -> None:
    plain = summarize(NetworkConfig(name="face_cnn")).multiply_adds
    changed = summarize(NetworkConfig.model_validate({"name": "face_cnn", **options}))
    assert changed.multiply_adds / plain == pytest.approx(multiply_adds, abs=0.15)


def test_channels_replace_the_width() -> None:
    by_width = summarize(NetworkConfig(name="face_cnn", width=0.65))
    by_channels = summarize(NetworkConfig(name="face_cnn", channels=(64, 128, 224)))
    assert by_channels.multiply_adds == by_width.multiply_adds
    assert by_channels.parameters == by_width.parameters


def test_attention_scales_channels_and_learns() -> None:
    network = built(squeeze_excitation=True)
    network(torch.rand(4, 1, 48, 48)).sum().backward()
    attention = [p for name, p in network.named_parameters() if "weights." in name]
    assert len(attention) == 6 * 4
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in attention)


def test_stochastic_depth_skips_blocks_in_training_only() -> None:
    network = built(stochastic_depth=0.9, blocks=2)
    images = torch.rand(4, 1, 48, 48)
    passes = []
    for _ in range(2):
        network.train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        passes.append(network(images))
    assert not torch.allclose(*passes)
    plain = built(blocks=2)
    plain.load_state_dict(network.state_dict())
    torch.testing.assert_close(network.eval()(images), plain.eval()(images))


def test_options_of_face_cnn_are_rejected_for_other_networks() -> None:
    with pytest.raises(ValueError, match=r"channels, blocks.*network\.name=face_cnn"):
        NetworkConfig(name="compact_cnn", channels=(8, 8, 8), blocks=2)


def test_shipped_weights_are_no_start_for_another_architecture() -> None:
    check_pretrained([NetworkConfig(name="face_cnn", pretrained=True)])
    for options in ({"blocks": 2}, {"channels": (96, 192, 320)}, {"squeeze_excitation": True}):
        other = NetworkConfig.model_validate({"name": "face_cnn", "pretrained": True, **options})
        with pytest.raises(ConfigError, match="weights are missing"):
            check_pretrained([other])
    check_pretrained([NetworkConfig(name="face_cnn", pretrained=True, stochastic_depth=0.1)])


@pytest.mark.parametrize(
    "changed",
    [
        {"network": {"name": "face_cnn", "blocks": 2}},
        {"training": {"loss": "focal"}},
        {"training": {"sharpness_radius": 0.05}},
        {"training": {"half_weights": True}},
        {"training": {"schedule": "trapezoid", "decay_fraction": 0.5}},
        {"training": {"augment": {"operations": 1}}},
        {"teachers": ["bundled:face_cnn"], "training": {"consistent_teachers": True}},
    ],
)
def test_what_is_off_is_no_part_of_a_models_identity(changed: dict[str, object]) -> None:
    base = MemberConfig.model_validate({"name": "a", "network": {"name": "face_cnn"}})
    identity = member_identity(base)
    later = ("blocks", "loss", "sharpness_radius", "half_weights", "decay_fraction", "operations")
    assert not any(f"'{name}'" in str(identity) for name in later)
    member = MemberConfig.model_validate({"name": "a", "network": {"name": "face_cnn"}, **changed})
    assert member_identity(member) != identity
