import json
from pathlib import Path

import pytest
import timm
from click.testing import CliRunner, Result
from safetensors.torch import save_file

from deployments.cli import main
from deployments.cli.options import config_from
from fer_models.errors import ConfigError
from fer_models.models.catalogue import BASELINES
from fer_models.models.names import NAMES
from flows.recipes import load_config

_OPTIONS = {"recipe": "demo", "sources": (), "store_url": None, "seed": None}
_PRETRAINED = ("members.2.network.name=test_resnet", "members.2.network.pretrained=true")


def _ferflow(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def _answer(*arguments: str) -> dict[str, object]:
    result = _ferflow(*arguments, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, object] = json.loads(result.stdout.splitlines()[-1])
    return answer


def test_list_shows_own_networks_and_the_baselines() -> None:
    networks = _answer("networks", "list")["networks"]
    assert isinstance(networks, list)
    by_name = {item["network"]: item for item in networks}
    assert list(by_name) == [*NAMES, *BASELINES]
    assert by_name["vgg16_bn"]["image_size_px"] == 224
    assert by_name["compact_cnn"]["image_size_px"] == 48
    # timm says 3.7 GMACs and 21.8 M parameters, with a classifier of 512 x 1000.
    assert by_name["resnet34"]["multiply_adds"] / 1e9 == pytest.approx(3.7, abs=0.05)
    assert by_name["resnet34"]["parameters"] / 1e6 == pytest.approx(21.8 - 0.51, abs=0.02)


def test_list_fits_a_terminal_of_80_columns() -> None:
    output = _ferflow("networks", "list").output
    assert "…" not in output
    assert "139,609,927" in output


def test_list_names_timms_networks_that_match() -> None:
    assert _ferflow("networks", "list", "--timm", "vgg1[69]_bn").output == "vgg16_bn\nvgg19_bn\n"
    assert _answer("networks", "list", "--timm", "vgg16") == {"timm": ["vgg16", "vgg16_bn"]}


@pytest.mark.parametrize(
    ("name", "parameters"), [("scratch_cnn", 51_933_223), ("scratch_mlp", 154_148_871)]
)
def test_summary_shows_the_origins_parameter_count(name: str, parameters: int) -> None:
    size = ("--size", "224", "--channels", "3")
    output = _ferflow("networks", "summary", name, *size).output
    assert f"parameters  {parameters:,}\n" in output
    assert "1x7" in output
    answer = _answer("networks", "summary", name, *size)
    assert answer["parameters"] == answer["trainable"] == parameters


def test_the_summary_is_still_found_under_models() -> None:
    answer = _answer("models", "summary", "compact_cnn")
    assert answer == _answer("networks", "summary", "compact_cnn")
    assert "summary" not in _ferflow("models", "--help").output


def test_summary_shows_as_many_layers_as_asked_for() -> None:
    outer = _ferflow("networks", "summary", "test_vit", "--depth", "1").output
    inner = _ferflow("networks", "summary", "test_vit", "--depth", "3").output
    assert "blocks" in outer
    assert "attn" not in outer
    assert "attn" in inner
    wide = _answer("networks", "summary", "compact_cnn", "--width", "2")
    assert wide["width"] == 2


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("summary", "resnet10"), ["did you mean resnet10t", "ferflow networks list --timm"]),
        (
            ("summary", "resnet34", "--size", "4", "--channels", "2", "--width", "2"),
            ["image_size_px", "in_channels", "width: only compact_cnn"],
        ),
        (("summary", "dla34", "--size", "16"), ["can't take 16 px"]),
        (("list", "--timm", "resnot"), ["similar names"]),
    ],
)
def test_bad_input_is_told_with_exit_code_2(arguments: tuple[str, ...], parts: list[str]) -> None:
    result = _ferflow("networks", *arguments)
    assert result.exit_code == 2
    for part in parts:
        assert part in result.output
    assert "Traceback" not in result.output


def test_weights_dir_goes_to_the_pretrained_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = config_from({**_OPTIONS, "assignments": _PRETRAINED, "weights_dir": "weights"})
    folders = [member.network.weights_dir for member in config.members]
    assert folders == [None, None, str(tmp_path / "weights")]
    by_setting = (*_PRETRAINED, "members.2.network.weights_dir=weights")
    assert config_from({**_OPTIONS, "assignments": by_setting}).members == config.members


def test_weights_dir_goes_to_dlibs_network(tmp_path: Path) -> None:
    settings = ("members.2.network.name=dlib_resnet", "members.2.network.pretrained=true")
    options = {**_OPTIONS, "assignments": settings, "weights_dir": str(tmp_path)}
    assert config_from(options).members[2].network.weights_dir == str(tmp_path)
    result = _ferflow(
        "run",
        "--store",
        str(tmp_path / "store"),
        "--weights-dir",
        str(tmp_path),
        *(part for text in settings for part in ("--set", text)),
    )
    assert result.exit_code == 2
    assert "pip install face_recognition_models" in " ".join(result.output.split())
    assert not (tmp_path / "store").exists()


def test_weights_dir_without_a_pretrained_member_is_told() -> None:
    with pytest.raises(ConfigError, match=r"all of .* train from scratch; add --set members"):
        config_from({**_OPTIONS, "assignments": (), "weights_dir": "weights"})


def test_weights_dir_is_not_for_members_that_start_from_shipped_weights() -> None:
    with pytest.raises(ConfigError) as caught:
        config_from({**_OPTIONS, "recipe": "folder-quick", "assignments": (), "weights_dir": "w"})
    assert "face_cnn (from weights that ship with ferflow)" in caught.value.message
    assert "omit the option" in caught.value.message
    assert "--set" not in caught.value.message


def test_settings_that_a_recipe_leaves_out_can_be_assigned() -> None:
    config = load_config("fer2013", ["members.2.network.pretrained=true"])
    assert config.members[2].network.pretrained


def test_missing_weights_are_told_before_anything_starts(tmp_path: Path) -> None:
    timm_vit = ("members.1.network.name=test_vit", "members.1.network.pretrained=true")
    settings = [part for text in (*_PRETRAINED, *timm_vit) for part in ("--set", text)]
    store = ("--store", str(tmp_path / "store"), "--weights-dir", str(tmp_path))
    result = _ferflow("run", *store, *settings)
    assert result.exit_code == 2
    assert "test_vit.safetensors" in result.output
    assert "test_resnet.r160_in1k.pth" in result.output
    assert not (tmp_path / "store").exists()
    for name in ("test_vit", "test_resnet"):
        save_file(timm.create_model(name).state_dict(), tmp_path / f"{name}.safetensors")
    absent = ("--data", "absent.csv")
    assert "absent.csv" in _ferflow("run", *store, *settings, *absent).output
