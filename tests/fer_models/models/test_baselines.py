"""The origin project's networks at FER2013's size."""

import pytest
import timm
import torch

from fer_models.models.catalogue import BASELINES
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import OWN_NETWORKS, build_network, count_parameters

_SIZED = ("visformer_small", "vit_base_patch16_224", "vit_base_r50_s16_224")


@pytest.mark.parametrize("name", [*OWN_NETWORKS, *BASELINES])
def test_networks_give_seven_logits_for_grey_faces_of_48_px(name: str) -> None:
    network = build_network(NetworkConfig(name=name, image_size_px=48, in_channels=1)).eval()
    for num in (1, 2):
        with torch.inference_mode():
            logits = network(torch.rand(num, 1, 48, 48))
        assert logits.shape == (num, 7)
        assert logits.isfinite().all()
    if name in BASELINES:
        size = {"img_size": 48} if name in _SIZED else {}
        with torch.device("meta"):
            reference = timm.create_model(name, num_classes=7, in_chans=1, **size)
        assert count_parameters(network) == sum(p.numel() for p in reference.parameters())


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_have_as_many_parameters_as_at_timm(name: str) -> None:
    """At 224 px with 3 channels and 1000 classes less their classifier's other 993."""
    with torch.device("meta"):  # counted without the memory
        ours = build_network(NetworkConfig(name=name, image_size_px=224, in_channels=3))
        reference = timm.create_model(name, num_classes=1000)
    surplus = 993 * (reference.get_classifier().in_features + 1)
    assert count_parameters(ours) == sum(p.numel() for p in reference.parameters()) - surplus
