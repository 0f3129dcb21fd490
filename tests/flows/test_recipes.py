from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import ConfigError
from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config, recipe_names


def test_demo_is_the_default_configuration() -> None:
    assert load_config("demo") == PipelineConfig()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_valid_and_has_its_file_name(name: str) -> None:
    assert load_config(name).name == name


@given(epochs=st.integers(1, 500), seed=st.integers(0, 2**31))
def test_set_changes_only_the_given_fields(epochs: int, seed: int) -> None:
    changed = load_config("demo", [f"members.1.training.epochs={epochs}", f"seed={seed}"])
    assert changed.members[1].training.epochs == epochs
    assert changed.seed == seed
    assert changed.members[0] == PipelineConfig().members[0]


def test_a_member_can_be_addressed_by_name() -> None:
    changed = load_config("demo", ["members.scratch_cnn.training.epochs=3"])
    assert changed.member("scratch_cnn").training.epochs == 3


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            "demo",
            ["sede=3", "members.9.name=x", "tuning.num_trials=0", "no-equals-sign", "seed=abc"],
        )
    text = str(caught.value)
    for part in (
        "did you mean 'seed'",
        "members.9",
        "tuning.num_trials",
        "no-equals-sign",
        "'abc'",
    ):
        assert part in text
    assert caught.value.exit_code == 2


def test_teachers_must_be_listed_before_their_student() -> None:
    with pytest.raises(
        ConfigError,
        match=r"\(compact_cnn\) or bundled:efficientnet_lite0, bundled:face_cnn, .*"
        "got resnet10t, nobody",
    ):
        load_config("demo", ["members.scratch_cnn.teachers=[resnet10t, nobody]"])
    changed = load_config("demo", ["members.resnet10t.teachers=[compact_cnn, scratch_cnn]"])
    assert changed.member("resnet10t").teachers == ("compact_cnn", "scratch_cnn")
    shipped = load_config("demo", ["members.resnet10t.teachers=[compact_cnn, bundled:face_cnn]"])
    assert shipped.member("resnet10t").trained_teachers == ("compact_cnn",)


def test_a_member_with_teachers_is_not_tuned() -> None:
    with pytest.raises(ConfigError, match="has teachers, but trials train without any"):
        load_config(
            "demo",
            ["tuning.member=resnet10t", "members.resnet10t.teachers=[compact_cnn]"],
        )


def test_an_unknown_recipe_name_comes_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'fer2013'"):
        load_config("fer2031")


def test_a_recipe_file_changes_only_the_given_settings(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntuning: {enabled: false}\n")
    config = load_config(str(path))
    assert config.name == "mine"
    assert not config.tuning.enabled
    assert config.members == PipelineConfig().members


@pytest.mark.parametrize("text", ["- a\n- b\n", "name: [unclosed", "\x00"])
def test_a_recipe_that_is_not_a_mapping_is_rejected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        load_config(str(path))


def test_a_wrong_member_is_the_only_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("fer2013-single", ["members.0.training.epochs=-3"])
    [problem] = caught.value.problems
    assert problem.startswith("members.0.training.epochs: ")
    with pytest.raises(ConfigError, match=r"members: .* at least 1 item"):
        load_config("demo", ["members=[]"])


def test_an_unknown_key_in_a_recipe_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "typo.yaml"
    path.write_text("tunning: {enabled: false}\n")
    with pytest.raises(ConfigError, match="tunning: unknown setting"):
        load_config(str(path))


def test_a_bare_off_in_yaml_is_the_policy_off(tmp_path: Path) -> None:
    assert load_config("demo", ["cleaning.policy=off"]).cleaning.policy == "off"
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("cleaning: {policy: off}\n")
    assert load_config(str(recipe)).cleaning.policy == "off"


def test_the_seed_baselines_are_the_networks_of_the_original_project() -> None:
    config = load_config("seed-baselines")
    assert [member.network.name for member in config.members] == [
        "resnet34",
        "resnet50",
        "resnet101",
        "visformer_small",
        "vit_base_patch16_224",
        "vit_base_r50_s16_224",
        "vgg16_bn",
        "vgg19_bn",
        "scratch_cnn",
        "scratch_mlp",
    ]
    assert all(member.network.image_size_px == 224 for member in config.members)
    assert all(member.network.pretrained for member in config.members[:8])


@pytest.mark.parametrize("text", ["a: " + "[" * 500 + "]" * 500, "seed: " + "9" * 5000])
def test_a_hostile_recipe_is_refused(tmp_path: Path, text: str) -> None:
    """Both ended in a traceback."""
    recipe = tmp_path / "hostile.yaml"
    recipe.write_text(text)
    with pytest.raises(ConfigError, match=r"hostile\.yaml: can't be read as YAML: "):
        load_config(str(recipe))
    with pytest.raises(ConfigError) as caught:
        load_config("demo", [text.replace(": ", "=", 1)])
    assert "is not valid YAML" in str(caught.value)
