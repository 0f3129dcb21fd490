import pytest
import timm
import torch
from torch import nn

from fer_models.errors import ConfigError
from fer_models.models import summary as module
from fer_models.models.catalogue import BASELINES, timm_names, usual_config
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import OWN_NETWORKS, build_network
from fer_models.models.summary import summarize


def reference_multiply_adds(config: NetworkConfig) -> int:
    """Multiply-adds of convolutions and linear layers from their formulas."""
    network = build_network(config).eval()
    sums: list[int] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], outputs: torch.Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            kernel = layer.kernel_size[0] * layer.kernel_size[1]
            sums.append(outputs.numel() * kernel * layer.in_channels // layer.groups)
        elif isinstance(layer, nn.Linear):
            sums.append(outputs.numel() * layer.in_features)

    for layer in network.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        size = config.side_px
        network(torch.zeros(1, config.input_channels, size, size))
    return sum(sums)


@pytest.mark.parametrize(
    ("name", "parameters"), [("scratch_cnn", 51_933_223), ("scratch_mlp", 154_148_871)]
)
def test_scratch_networks_have_the_published_parameter_count(name: str, parameters: int) -> None:
    summary = summarize(NetworkConfig(name=name, image_size_px=224, in_channels=3))
    assert summary.parameters == summary.trainable == parameters
    assert summary.weights_mb == pytest.approx(parameters * 4 / 1e6)


@pytest.mark.parametrize("name", [*OWN_NETWORKS, "test_resnet", "test_efficientnet"])
def test_multiply_adds_equal_the_formulas(name: str) -> None:
    config = NetworkConfig(name=name)
    assert summarize(config).multiply_adds == reference_multiply_adds(config)


def test_attention_counts_for_every_token() -> None:
    config = NetworkConfig(name="test_vit", image_size_px=160, in_channels=3)
    network = timm.create_model("test_vit")
    tokens, dim, depth = network.pos_embed.shape[1], network.embed_dim, len(network.blocks)
    attention = depth * 2 * tokens * tokens * dim  # queries by keys, then by values
    assert summarize(config).multiply_adds == reference_multiply_adds(config) + attention


@pytest.mark.parametrize("depth", [1, 2, 3, 9])
@pytest.mark.parametrize("name", ["compact_cnn", "test_resnet", "test_vit", "cait_xxs24_224"])
def test_every_column_sums_to_its_total(name: str, depth: int) -> None:
    summary = summarize(NetworkConfig(name=name, image_size_px=64), depth)
    assert sum(layer.parameters for layer in summary.layers) == summary.parameters
    assert sum(layer.multiply_adds for layer in summary.layers) == summary.multiply_adds > 0
    assert max(layer.level for layer in summary.layers) <= depth
    assert summary.layers[0].output_shape == (1, 7)


def test_layers_have_output_shape_and_counts() -> None:
    summary = summarize(NetworkConfig(name="scratch_cnn", image_size_px=224, in_channels=3))
    layers = {layer.name: layer for layer in summary.layers}
    first = layers["features.0"]
    assert (first.kind, first.output_shape) == ("Conv2d", (1, 16, 224, 224))
    assert first.parameters == 3 * 16 * 9 + 16
    assert first.multiply_adds == 224 * 224 * 16 * 27


def test_networks_that_need_values_while_built_are_summarized_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build = module.build_empty_network

    def needs_values(config: NetworkConfig) -> nn.Module:
        torch.ones(1).item()  # fails on the meta device
        return build(config)

    expected = summarize(NetworkConfig())
    monkeypatch.setattr(module, "build_empty_network", needs_values)
    assert summarize(NetworkConfig()) == expected


def test_the_usual_input_is_that_of_the_published_weights() -> None:
    assert usual_config("resnet34").image_size_px == 224
    assert usual_config("test_vit").image_size_px == 160
    assert usual_config("vit_small_patch14_dinov2").image_size_px == 224  # 518 is out of range
    assert usual_config("compact_cnn") == NetworkConfig(image_size_px=48, in_channels=1)
    given = usual_config("resnet34", image_size_px=48, in_channels=1)
    assert (given.image_size_px, given.in_channels) == (48, 1)


def test_all_invalid_settings_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        usual_config("resnet34", image_size_px=4, in_channels=2, width=2.0)
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    for part in ("width: only compact_cnn", "image_size_px: ", "in_channels: "):
        assert part in problems


def test_timm_names_match_part_of_the_name_or_a_pattern() -> None:
    assert set(BASELINES) <= set(timm_names("*"))
    assert "vgg16_bn" in timm_names("vgg16")
    assert timm_names("vgg16*") == ["vgg16", "vgg16_bn"]
    assert timm_names("vgg16_bn.*") == ["vgg16_bn.tv_in1k"]
    with pytest.raises(ConfigError, match=r"matches 'resnot'; similar names: .*resn"):
        timm_names("resnot")
