from pathlib import Path

import torch

from fer_models.models.config import NetworkConfig
from fer_models.training.config import MemberConfig
from tasks.cache.weights import content_of_weights
from tasks.stage import stage_key


def key(member: MemberConfig) -> str:
    return stage_key("train", "fer_models.training.train", {"member": member}, content_of_weights)


def test_other_pretrained_weights_are_another_training(tmp_path: Path) -> None:
    file = tmp_path / "test_resnet.pth"
    network = NetworkConfig(name="test_resnet", pretrained=True, weights_dir=str(tmp_path))
    member = MemberConfig(name="tuned", network=network)
    torch.save({"conv1.0.weight": torch.zeros(2)}, file)
    before = key(member)
    assert key(member) == before
    torch.save({"conv1.0.weight": torch.ones(2)}, file)
    assert key(member) != before


def test_random_weights_need_no_folder_to_look_at() -> None:
    assert content_of_weights({"member": MemberConfig(name="small")}) == "random"
