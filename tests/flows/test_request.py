"""Short parameters resolve to one full configuration, whichever door they come through."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import ConfigError, DataError
from fer_models.storage.store import ArtifactStore
from flows.checks import check_config, checked
from flows.recipes import load_config, recipe_names, save_recipe, saved_recipes
from flows.recipes.assign import differences, merged
from flows.request import RunRequest, request_of
from tests.fer_models.storage.buckets import put_objects


def test_a_request_resolves_the_same_after_it_was_a_flow_s_parameters(tmp_path: Path) -> None:
    request = RunRequest(
        recipe="fer2013", data=("synthetic",), store=str(tmp_path), seed=3, overrides=("seed=5",)
    )
    again = request_of(request.parameters() | {"force": True})
    assert again.resolve() == request.resolve()
    assert again.resolve().seed == 3


def test_relative_paths_become_absolute_so_that_another_folder_can_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("seed: 4")
    request = RunRequest(recipe="mine.yaml", data=("faces",), store="store").absolute()
    monkeypatch.chdir("/")
    config = request.resolve()
    assert config.data.sources == (str(tmp_path / "faces"),)
    assert config.store.url == f"file://{tmp_path}/store"
    assert config.seed == 4


def test_a_recipe_file_without_a_name_is_called_like_the_file(tmp_path: Path) -> None:
    (tmp_path / "wide nets.yaml").write_text("seed: 4")
    assert load_config(str(tmp_path / "wide nets.yaml")).name == "wide nets"


def test_the_store_variable_counts_where_no_store_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERFLOW_STORE", str(tmp_path / "variable"))
    assert RunRequest().resolve().store.url.endswith("/variable")
    assert RunRequest(store=str(tmp_path / "given")).resolve().store.url.endswith("/given")


def test_messages_name_the_field_or_the_option() -> None:
    request = RunRequest(overrides=("tuning.num_trail=3", "nothing"))
    with pytest.raises(ConfigError) as form:
        request.resolve()
    assert [line.partition(":")[0] for line in form.value.problems] == [
        "overrides tuning.num_trail",
        "overrides nothing",
    ]
    with pytest.raises(ConfigError, match="--set nothing: expected path"):
        request.resolve("--set")


def test_all_kinds_of_problems_are_reported_together(tmp_path: Path) -> None:
    overrides = (
        "members.0.network.name=resnet999",
        "scoring.network.name=face_cmm",
        "validation.severities.no_such_check=error",
    )
    with pytest.raises(ConfigError) as caught:
        checked(RunRequest(data=(str(tmp_path / "none.csv"),), overrides=overrides))
    for part in ("resnet999", "face_cmm", "none.csv", "no_such_check"):
        assert part in str(caught.value)


def test_a_missing_source_is_found_without_reading_images(tmp_path: Path) -> None:
    config = load_config("demo", changes={"data.sources": [str(tmp_path / "none")]})
    with pytest.raises(DataError, match="no such file or folder"):
        check_config(config)


@pytest.mark.parametrize("name", recipe_names())
def test_a_saved_recipe_has_the_settings_it_was_saved_with(store: ArtifactStore, name: str) -> None:
    config = load_config(name, ["members.0.training.epochs=7"])
    save_recipe(store, "ours", config)
    loaded = load_config("ours", store=store)
    assert loaded == config.model_copy(update={"name": "ours"})
    assert saved_recipes(store) == ["ours"]


def test_a_saved_recipe_is_replaced_only_on_request(store: ArtifactStore) -> None:
    save_recipe(store, "ours", load_config("demo"))
    with pytest.raises(ConfigError, match="--replace"):
        save_recipe(store, "ours", load_config("fer2013"))
    save_recipe(store, "ours", load_config("fer2013"), replace=True)
    assert load_config("ours", store=store).tuning == load_config("fer2013").tuning


@pytest.mark.parametrize("name", ["demo", "Upper", "../outside", "", "a b"])
def test_a_recipe_name_is_a_plain_word_and_not_a_built_in_one(
    store: ArtifactStore, name: str
) -> None:
    with pytest.raises(ConfigError, match="recipe name"):
        save_recipe(store, name, load_config("demo"))
    assert saved_recipes(store) == []


_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.lists(st.integers(), max_size=2))
_TREES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(_LEAVES, lambda t: st.dictionaries(st.sampled_from("de"), t)),
)


@given(_TREES, _TREES)
def test_differences_lead_from_one_configuration_to_the_other(
    base: dict[str, object], settings: dict[str, object]
) -> None:
    complete = merged(base, settings)  # a configuration never loses a key
    assert merged(base, differences(base, complete)) == complete
    assert differences(complete, complete) == {}


@pytest.mark.s3
def test_no_check_downloads_a_bucket(
    s3_store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_objects(f"{s3_store_url}/faces", {"happy/1.png": b"x"})
    present, absent = f"{s3_store_url}/faces", f"{s3_store_url}/absent"
    config = checked(RunRequest(data=(present,), store=str(tmp_path)))
    assert config.data.sources == (present,)
    check_config(config, all_rows=True)
    with pytest.raises(DataError, match="no object or folder of that name"):
        checked(RunRequest(data=(present, absent), store=str(tmp_path)))
    assert not (tmp_path / "cache").exists()
