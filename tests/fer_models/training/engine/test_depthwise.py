"""Depthwise convolutions compute in float32 where training on a processor is in bfloat16."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from fer_models.dataset.snapshot import open_snapshot
from fer_models.training.engine.depthwise import fast_depthwise
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.data import training_data
from fer_models.tuning.space import apply_setting
from tests.fer_models.training.conftest import MEMBER, Trained

CPU = torch.device("cpu")


def network(groups: int = 8) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=groups), nn.Conv2d(8, 4, 1))


def autocast_outputs(layers: nn.Sequential, precision: str, device: torch.device) -> list[Tensor]:
    x = torch.randn(2, 8, 12, 12, generator=torch.Generator().manual_seed(0))
    outputs = []
    with fast_depthwise(layers, precision, device), torch.autocast("cpu", torch.bfloat16):
        for layer in layers:
            x = layer(x)
            outputs.append(x)
    return outputs


def test_only_depthwise_convolutions_leave_bfloat16() -> None:
    depthwise, pointwise = autocast_outputs(network(), "bf16-mixed", CPU)
    assert (depthwise.dtype, pointwise.dtype) == (torch.float32, torch.bfloat16)


def test_their_gradients_are_those_of_float32() -> None:
    torch.manual_seed(0)
    layers = network()
    autocast_outputs(layers, "bf16-mixed", CPU)[0].square().sum().backward()
    found = layers[0].weight.grad.clone()
    layers.zero_grad()
    x = torch.randn(2, 8, 12, 12, generator=torch.Generator().manual_seed(0))
    layers[0](x).square().sum().backward()
    torch.testing.assert_close(found, layers[0].weight.grad)


@pytest.mark.parametrize(
    ("groups", "precision", "device"),
    [
        pytest.param(2, "bf16-mixed", CPU, id="grouped, but not depthwise"),
        pytest.param(8, "32-true", CPU, id="a training in float32"),
        pytest.param(8, "bf16-mixed", torch.device("cuda"), id="a GPU"),
    ],
)
def test_elsewhere_nothing_changes(groups: int, precision: str, device: torch.device) -> None:
    outputs = autocast_outputs(network(groups), precision, device)
    assert {output.dtype for output in outputs} == {torch.bfloat16}


def test_nothing_changes_after_the_block() -> None:
    layers = network()
    autocast_outputs(layers, "bf16-mixed", CPU)
    with torch.autocast("cpu", torch.bfloat16):
        assert layers[0](torch.zeros(1, 8, 4, 4)).dtype is torch.bfloat16


def test_a_training_computes_its_depthwise_convolutions_in_float32(trained: Trained) -> None:
    seen: dict[bool, set[torch.dtype]] = {True: set(), False: set()}

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        # Checks before the training compute without autocast.
        if isinstance(module, nn.Conv2d) and torch.is_autocast_enabled("cpu"):
            seen[module.groups > 1].add(output.dtype)

    member = apply_setting(
        MEMBER,
        {
            "network.name": "mobilenetv3_small_050",
            "network.width": 1.0,
            "network.dropout": 0.0,
            "training.precision": "bf16-mixed",
        },
    )
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    hook = register_module_forward_hook(note)
    try:
        fit(replace(data, stop_epoch=1), member, 0, lambda _: None)
    finally:
        hook.remove()
    assert seen == {True: {torch.float32}, False: {torch.bfloat16}}
