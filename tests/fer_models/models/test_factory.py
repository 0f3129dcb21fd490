import socket
import threading

import pytest
import torch

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import OWN_NETWORKS, build_network, count_parameters
from fer_models.models.pretrained import timm_weights as pretrained


def logits_of(config: NetworkConfig, num: int = 2) -> torch.Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(config).eval()
        size = config.side_px
        with torch.inference_mode():
            return network(torch.randn(num, config.input_channels, size, size))


@pytest.mark.parametrize(
    ("name", "parameters"), [("scratch_cnn", 51_933_223), ("scratch_mlp", 154_148_871)]
)
def test_scratch_networks_have_the_published_parameter_count(name: str, parameters: int) -> None:
    with torch.device("meta"):  # counted without the memory
        network = build_network(NetworkConfig(name=name, image_size_px=224, in_channels=3))
    assert count_parameters(network) == parameters


def test_compact_network_stays_small() -> None:
    assert count_parameters(build_network(NetworkConfig())) < 1_500_000


@pytest.mark.parametrize("name", OWN_NETWORKS)
@pytest.mark.parametrize(("size", "channels"), [(48, 1), (48, 3), (40, 1)])
def test_networks_return_logits_not_probabilities(name: str, size: int, channels: int) -> None:
    logits = logits_of(NetworkConfig(name=name, image_size_px=size, in_channels=channels))
    assert logits.shape == (2, 7)
    assert (logits < 0).any()
    assert not torch.allclose(logits.sum(1), torch.ones(2), atol=1e-3)


@pytest.mark.parametrize("name", OWN_NETWORKS)
def test_width_scales_the_network(name: str) -> None:
    narrow, wide = (
        count_parameters(build_network(NetworkConfig(name=name, width=w))) for w in (0.5, 2.0)
    )
    assert narrow < count_parameters(build_network(NetworkConfig(name=name))) < wide


@pytest.mark.parametrize("name", ["resnet10t", "visformer_tiny", "vit_tiny_patch16_224"])
def test_timm_networks_take_48_px_grey_images(name: str) -> None:
    assert logits_of(NetworkConfig(name=name)).shape == (2, 7)


def test_a_size_that_a_timm_network_cannot_take_is_reported() -> None:
    with pytest.raises(ConfigError, match=r"dla46_c can't take 48 px images .*image_size_px"):
        build_network(NetworkConfig(name="dla46_c"))


def test_an_unknown_network_suggests_similar_names() -> None:
    with pytest.raises(ConfigError) as caught:
        build_network(NetworkConfig(name="resnet10"))
    assert "resnet10t" in str(caught.value)
    assert "ferflow networks list --timm" in str(caught.value)
    with pytest.raises(ConfigError, match="compact_cnn"):
        build_network(NetworkConfig(name="compact_cn"))


def gradients_of(config: NetworkConfig) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(config).train()
        images = torch.rand(4, config.input_channels, config.side_px, config.side_px)
        network(images).square().sum().backward()
    gradients = {name: weights.grad for name, weights in network.named_parameters()}
    return {name: gradient for name, gradient in gradients.items() if gradient is not None}


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_vit", "scratch_cnn", pytest.param("vgg11_bn", marks=pytest.mark.slow)],
)
def test_gradient_checkpointing_changes_no_gradient(name: str) -> None:
    size = 32 if name == "vgg11_bn" else 48
    plain = gradients_of(NetworkConfig(name=name, image_size_px=size))
    checkpointed = gradients_of(
        NetworkConfig(name=name, image_size_px=size, gradient_checkpointing=True)
    )
    assert plain.keys() == checkpointed.keys()
    for key, gradient in plain.items():
        torch.testing.assert_close(checkpointed[key], gradient, msg=key)


def test_gradient_checkpointing_keeps_the_weight_names() -> None:
    with torch.device("meta"):
        plain, checkpointed = (
            build_network(NetworkConfig(name="vgg11_bn", gradient_checkpointing=choice))
            for choice in (False, True)
        )
    assert list(plain.state_dict()) == list(checkpointed.state_dict())


def saved_bytes(config: NetworkConfig) -> int:
    """Bytes of activations that the forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    network = build_network(config).train()
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(torch.rand(4, 1, config.side_px, config.side_px))
    assert logits.requires_grad
    return sum(size for pointer, size in kept.items() if pointer not in weights)


@pytest.mark.parametrize("name", ["resnet26", "scratch_cnn"])
def test_gradient_checkpointing_saves_memory(name: str) -> None:
    plain, checkpointed = (
        saved_bytes(NetworkConfig(name=name, image_size_px=64, gradient_checkpointing=choice))
        for choice in (False, True)
    )
    assert checkpointed < plain / 2


@pytest.mark.parametrize("name", ["compact_cnn", "scratch_mlp", "dla34", "darknet17"])
def test_networks_without_gradient_checkpointing_are_reported(name: str) -> None:
    config = NetworkConfig(name=name, image_size_px=96, gradient_checkpointing=True)
    with pytest.raises(ConfigError, match=r"no support for gradient checkpointing; set .*=false"):
        build_network(config)


def test_networks_without_shipped_weights_name_those_that_have_some() -> None:
    with pytest.raises(ConfigError, match="no pretrained weights for it") as caught:
        build_network(NetworkConfig(pretrained=True))
    assert "network.name=face_cnn and network.width=1" in caught.value.message


@pytest.fixture
def empty_hub_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "cached_file", lambda *_: None)
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.usefixtures("empty_hub_cache")
def test_pretrained_weights_fail_fast_when_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"HF_HUB_OFFLINE is set.*network\.pretrained=false"):
        build_network(NetworkConfig(name="resnet18", pretrained=True))


@pytest.mark.usefixtures("empty_hub_cache")
def test_a_hub_that_never_answers_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:  # accepts connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        problem = pretrained.hub_problem(timeout_s=0.01)  # the socket is still open afterwards
    assert "127.0.0.1" in str(problem)


def test_a_hub_check_that_hangs_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    release = threading.Event()
    monkeypatch.setattr(pretrained, "_request_problem", lambda *_: release.wait() and None)
    try:
        problem = pretrained.hub_problem(timeout_s=0.01)  # returns before the release
    finally:
        release.set()
    assert "did not answer within 0.01 s" in str(problem)


@pytest.mark.usefixtures("empty_hub_cache")
def test_an_unreachable_hub_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "127.0.0.1:9" in str(pretrained.hub_problem())
