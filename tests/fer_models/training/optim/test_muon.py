import pytest
import torch
from torch import nn
from torch.nn import functional

from fer_models.training.config import TrainingConfig
from fer_models.training.optim.muon import (
    Muon,
    is_conv_kernel,
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


def test_kernels_keep_their_norm_and_other_weights_follow_torchs_adamw() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 4, 2))
    twin = nn.Linear(8 * 4, 2)
    twin.load_state_dict(network[2].state_dict())
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
        features = network[:2](torch.randn(5, 3, 4, 4))
        optimizer.zero_grad()
        network[2](features).square().sum().backward()
        plain.zero_grad()
        twin(features.detach()).square().sum().backward()
        optimizer.step()
        plain.step()
    torch.testing.assert_close(network[2].weight, twin.weight)
    torch.testing.assert_close(network[2].bias, twin.bias)
    assert float(network[0].weight.detach().norm()) == pytest.approx(8**0.5, rel=0.1)


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
