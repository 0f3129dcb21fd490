"""The networks of the notebook project at FER2013's size."""

import pytest
import timm
import torch

from fer_models.models.catalogue import BASELINES
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import OWN_NETWORKS, build_network, count_parameters

_FIXED_SIZE = ("visformer_small", "vit_base_patch16_224", "vit_base_r50_s16_224")


_QUICK = ("resnet34", "visformer_small", "vgg16_bn")


@pytest.mark.parametrize(
    "name",
    [
        *OWN_NETWORKS,
        *(
            name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow)
            for name in BASELINES
        ),
    ],
)
def test_networks_return_seven_logits_for_grey_faces_of_48_px(name: str) -> None:
    network = build_network(NetworkConfig(name=name, image_size_px=48, in_channels=1)).eval()
    for num in (1, 2):
        with torch.inference_mode():
            logits = network(torch.rand(num, 1, 48, 48))
        assert logits.shape == (num, 7)
        assert logits.isfinite().all()
    if name in BASELINES:
        size = {"img_size": 48} if name in _FIXED_SIZE else {}
        with torch.device("meta"):
            reference = timm.create_model(name, num_classes=7, in_chans=1, **size)
        assert count_parameters(network) == sum(p.numel() for p in reference.parameters())


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_have_timms_parameter_count(name: str) -> None:
    """At 224 px with 3 channels, minus the 993 other classes of timm's classifier."""
    with torch.device("meta"):  # counted without the memory
        ours = build_network(NetworkConfig(name=name, image_size_px=224, in_channels=3))
        reference = timm.create_model(name, num_classes=1000)
    surplus = 993 * (reference.get_classifier().in_features + 1)
    assert count_parameters(ours) == sum(p.numel() for p in reference.parameters()) - surplus
