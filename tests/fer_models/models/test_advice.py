"""Settings that messages about pretrained weights name: following them changes the verdict."""

import re
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

from fer_models.models.factory import build_network
from fer_models.models.pretrained import timm_weights
from fer_models.models.pretrained.start import check_pretrained
from fer_models.training.config import MemberConfig
from tests.fer_models.following import advice, changed, refusal

MEMBER = MemberConfig(name="a")
PRETRAINED = changed(MEMBER, "network.name=test_resnet", "network.pretrained=true")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with random weights in timm's published form."""
    folder = tmp_path / "weights"
    folder.mkdir()
    save_file(timm.create_model("test_resnet").state_dict(), folder / "test_resnet.safetensors")
    return folder


def check(member: MemberConfig) -> None:
    check_pretrained([member.network])


def build(member: MemberConfig) -> None:
    build_network(member.network)


def from_scratch(message: str) -> list[str]:
    """The settings that a message names for a training from scratch."""
    return re.findall(r"network\.\w+=\w+", message.rpartition("or set ")[2])


def test_weights_that_are_not_here_are_given_in_a_folder_or_left_out(weights: Path) -> None:
    message = refusal(check, PRETRAINED)
    assert "(--weights-dir, network.weights_dir)" in message
    given = changed(PRETRAINED, f"network.weights_dir={weights}")
    check(given)
    build(given)
    check(changed(PRETRAINED, *from_scratch(message)))


def test_weights_that_are_not_in_a_folder_are_put_there_or_left_out(
    weights: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    member = changed(PRETRAINED, f"network.weights_dir={empty}")
    message = refusal(check, member)
    check(changed(member, *from_scratch(message)))
    [first, *_] = re.findall(r"looked for ([\w.]+)", message)
    (weights / "test_resnet.safetensors").rename(empty / first)
    check(member)
    build(member)


def test_a_file_is_replaced_by_its_folder(weights: Path) -> None:
    member = changed(PRETRAINED, f"network.weights_dir={weights}/test_resnet.safetensors")
    assert "name the folder, not a file in it" in refusal(check, member)
    check(changed(member, f"network.weights_dir={weights}"))


def test_weights_of_another_network_are_replaced_or_left_out(weights: Path) -> None:
    file = weights / "test_resnet.safetensors"
    save_file(timm.create_model("test_vit").state_dict(), file)
    member = changed(PRETRAINED, f"network.weights_dir={weights}")
    message = refusal(build, member)
    build(changed(member, *from_scratch(message)))
    assert "use weights that were saved from timm's test_resnet" in message
    save_file(timm.create_model("test_resnet").state_dict(), file)
    build(member)


def test_a_network_without_published_weights_is_trained_from_scratch_or_from_a_folder(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    monkeypatch.setattr(timm_weights, "published_weights", lambda _: (None, None))
    message = refusal(check, PRETRAINED)
    assert advice(message) == ["network.pretrained=false"]
    check(changed(PRETRAINED, "network.pretrained=false"))
    assert "name a folder that has some (network.weights_dir)" in message
    check(changed(PRETRAINED, f"network.weights_dir={weights}"))


def test_an_own_network_has_no_folder_of_weights(weights: Path) -> None:
    own = changed(MEMBER, "network.name=face_cnn", "network.pretrained=true")
    member = changed(own, f"network.weights_dir={weights}")
    assert "network.weights_dir is for timm's networks; leave it out" in refusal(check, member)
    check(own)


@pytest.mark.parametrize("followed", ["network.pretrained=true", "network.weights_dir=null"])
def test_a_folder_of_weights_is_used_or_left_out(weights: Path, followed: str) -> None:
    with pytest.raises(ValueError, match=r"set pretrained=true, or leave weights_dir out"):
        changed(PRETRAINED, "network.pretrained=false", f"network.weights_dir={weights}")
    if followed == "network.weights_dir=null":
        check(changed(PRETRAINED, "network.pretrained=false", followed))
    else:
        check(changed(PRETRAINED, followed, f"network.weights_dir={weights}"))
