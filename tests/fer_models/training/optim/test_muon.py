import pytest
import torch
from torch import nn
from torch.nn import functional

from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network
from fer_models.training.config import TrainingConfig
from fer_models.training.optim.muon import (
    Muon,
    is_conv_kernel,
    normalized_kernels,
    orthogonalize,
    orthogonalize_batched,
)
from fer_models.training.optim.optimizer import build_optimizer


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (32, 32)])
def test_singular_values_move_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 7
    values = torch.linalg.svdvals(orthogonalize(matrix))
    before = torch.linalg.svdvals(matrix)
    assert values.max() < 1.4
    # Those below a tenth of the largest would take more iterations.
    assert values[before > before[0] / 10].min() > 0.5


def test_batched_orthogonalization_equals_one_by_one() -> None:
    generator = torch.Generator().manual_seed(2)
    matrices = [
        torch.randn(*shape, generator=generator) for shape in [(16, 40), (40, 16), (32, 32)]
    ]
    for batched, matrix in zip(orthogonalize_batched(matrices), matrices, strict=True):
        # bfloat16 sums in another order.
        torch.testing.assert_close(batched, orthogonalize(matrix), atol=0.03, rtol=0.05)


@pytest.mark.parametrize("has_bf16", [False, True])
def test_the_iteration_is_in_bfloat16_only_where_a_device_computes_in_it(
    has_bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor without its instructions took twelve times as long as in float32."""
    monkeypatch.setattr("fer_models.training.optim.muon.has_bf16", lambda _device: has_bf16)
    matrix = torch.randn(12, 30, generator=torch.Generator().manual_seed(3))
    x = matrix.double() / matrix.double().norm()
    for _ in range(3):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    for result in (orthogonalize(matrix), *orthogonalize_batched([matrix])):
        assert result.dtype == torch.float32
        error = (result - x).abs().max()
        assert 1e-4 < error < 0.05 if has_bf16 else error < 1e-5


def test_singular_vectors_are_kept() -> None:
    matrix = torch.randn(12, 30, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    change = functional.cosine_similarity(
        orthogonalize(matrix).flatten(), (left @ right).flatten(), dim=0
    )
    assert change > 0.97


def test_normalized_kernels_keep_their_norm_and_other_weights_follow_torchs_adamw() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8, affine=False)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.Flatten(), nn.Linear(8 * 4, 2))
    twin = nn.Linear(8 * 4, 2)
    twin.load_state_dict(network[3].state_dict())
    config = TrainingConfig(
        optimizer="muon",
        learning_rate=0.01,
        other_learning_rate=0.004,
        momentum=0.6,
        weight_decay=0.1,
    )
    optimizer = build_optimizer(network, config)
    assert isinstance(optimizer, Muon)
    plain = torch.optim.AdamW(
        [
            {"params": [twin.weight], "weight_decay": 0.1},
            {"params": [twin.bias], "weight_decay": 0.0},
        ],
        lr=0.004,
    )
    for _ in range(3):
        features = network[:3](torch.randn(5, 3, 4, 4))
        optimizer.zero_grad()
        network[3](features).square().sum().backward()
        plain.zero_grad()
        twin(features.detach()).square().sum().backward()
        optimizer.step()
        plain.step()
    torch.testing.assert_close(network[3].weight, twin.weight)
    torch.testing.assert_close(network[3].bias, twin.bias)
    assert float(network[0].weight.detach().norm()) == pytest.approx(8**0.5, rel=0.1)


@pytest.mark.parametrize("norm", [nn.ReLU(), nn.GroupNorm(2, 8), None])
def test_a_tiny_step_does_not_change_the_norm_of_a_kernel_that_has_a_meaning(
    norm: nn.Module | None,
) -> None:
    """Pretrained weights of networks without batch normalisation would be lost.

    After a group norm the size of the kernel beside that of its bias has a meaning.
    """
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), *([norm] if norm else []), nn.Flatten()]
    network = nn.Sequential(*layers)
    before = network[0].weight.detach().clone()
    optimizer = build_optimizer(network, TrainingConfig(optimizer="muon", learning_rate=1e-6))
    network(torch.randn(5, 3, 4, 4)).square().sum().backward()
    optimizer.step()
    torch.testing.assert_close(network[0].weight.detach(), before, atol=1e-5, rtol=0)
    assert not torch.equal(network[0].weight, before)


@pytest.mark.parametrize(
    ("name", "num_normalized", "num_kernels"),
    [
        ("compact_cnn", 6, 6),
        ("face_cnn", 9, 9),
        ("scratch_cnn", 0, 2),
        ("resnet10t", 12, 13),  # the last one of its stem is in another module than what follows
        ("densenet121", 58, 119),
        ("convnext_atto", 0, 27),
    ],
)
def test_the_scale_of_a_normalized_kernel_changes_nothing(
    name: str, num_normalized: int, num_kernels: int
) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(name=name, image_size_px=64, dropout=0), 7)
    network.double().train()
    channels = next(network.parameters()).shape[1]
    images = torch.randn(2, channels, 64, 64, dtype=torch.double)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.eps = 1e-12
            nn.init.uniform_(module.weight, 0.5, 1.5)  # some are zero, which hides what is before
    kernels = [one for one in network.parameters() if is_conv_kernel(one)]
    normalized = normalized_kernels(network).intersection(kernels)
    assert (len(normalized), len(kernels)) == (num_normalized, num_kernels)
    with torch.no_grad():
        logits = network(images)
        for number, kernel in enumerate(normalized):
            kernel.mul_(2 + number % 3)
        torch.testing.assert_close(network(images), logits, atol=1e-7, rtol=1e-6)


def test_attention_in_a_network_with_batch_normalisation_is_not_rescaled() -> None:
    network = build_network(NetworkConfig(name="face_cnn", squeeze_excitation=True), 7)
    kernels = {name for name, one in network.named_parameters() if is_conv_kernel(one)}
    normalized = normalized_kernels(network)
    rescaled = {name for name, one in network.named_parameters() if one in normalized}
    attention = {name for name in kernels if ".weights." in name}
    assert attention
    assert rescaled & kernels == kernels - attention


def test_one_channel_stems_and_matrices_are_not_conv_kernels() -> None:
    assert is_conv_kernel(nn.Conv2d(2, 4, 3).weight)
    assert not is_conv_kernel(nn.Conv2d(1, 4, 3).weight)
    assert not is_conv_kernel(nn.Linear(4, 4).weight)


def test_state_survives_a_checkpoint() -> None:
    def trained(interrupted: bool) -> torch.Tensor:
        torch.manual_seed(0)
        network = nn.Conv2d(2, 4, 3)
        images = torch.randn(8, 2, 5, 5)
        optimizer = build_optimizer(network, TrainingConfig(optimizer="muon", learning_rate=0.1))
        for step in range(4):
            if interrupted and step == 2:
                state = optimizer.state_dict()
                optimizer = build_optimizer(
                    network, TrainingConfig(optimizer="muon", learning_rate=0.1)
                )
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            network(images).square().mean().backward()
            optimizer.step()
        return network.weight.detach()

    assert torch.equal(trained(interrupted=True), trained(interrupted=False))
