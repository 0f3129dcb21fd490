"""Bundles whose metadata or weights make no sense are refused before a network is built."""

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from fer_models.bundles.bundle import load_any_bundle
from fer_models.errors import StoreError
from fer_models.inference.open_model import open_model
from tests.fer_models.inference.conftest import Exported


@pytest.fixture
def copied(exported: Exported, tmp_path: Path) -> Path:
    """A copy of the bundle's folder, to be damaged."""
    return Path(shutil.copytree(exported.folder, tmp_path / "copied"))


def changed(folder: Path, where: str, **changes: Any) -> Path:
    """The metadata with other values in one of its parts; `where` is "" for the top."""
    file = folder / "small.json"
    facts = json.loads(file.read_text())
    part = facts
    for name in filter(None, where.split(".")):
        part = part[name]
    part.update(changes)
    file.write_text(json.dumps(facts), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("std", 0, "std: Input should be greater than 0"),
        ("std", float("nan"), "std"),
        ("std", 2e-89, "expected at least 0.0039 (a grey level), got 2e-89"),
        ("mean", float("inf"), "mean"),
        ("image_size_px", 0, "image_size_px: Input should be greater than or equal to 16"),
        ("image_size_px", 10**6, "image_size_px: Input should be less than or equal to 512"),
        ("in_channels", 7, "in_channels: Input should be 1 or 3"),
        ("tta", "twelve_crop", "tta: Input should be 'none', 'flip', 'ten_crop' or 'affine'"),
        ("classes", ["happy", "sad", "happy"], "happy more than once"),
        ("classes", ["happy", 3], "classes.1: Input should be a valid string"),
        ("classes", ["happy"], "at least 2 items"),
        ("image_format", {"size_px": 0, "channels": 2, "fit": "stretch"}, "image_format.channels"),
    ],
)
def test_senseless_preprocessing_is_refused(
    copied: Path, field: str, value: object, problem: str
) -> None:
    file = changed(copied, "preprocessing", **{field: value})
    with pytest.raises(StoreError, match="metadata of a weight bundle") as caught:
        open_model(str(file))
    assert any(
        f"preprocessing.{problem}" in line or problem in line for line in caught.value.problems
    )


def test_all_problems_are_reported_together(copied: Path) -> None:
    file = changed(copied, "preprocessing", std=0, image_size_px=0, in_channels=7, tta="x")
    changed(copied, "", classes=["a", "a"], seed="many")
    with pytest.raises(StoreError) as caught:
        open_model(str(file))
    assert len(caught.value.problems) == 6


def test_a_size_that_is_not_the_network_s_is_refused(copied: Path) -> None:
    changed(copied, "member.network", image_size_px=48)
    file = changed(copied, "preprocessing", image_size_px=64)
    with pytest.raises(StoreError) as caught:
        open_model(str(file))
    assert "image_size_px: expected 48, that of the network, got 64" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(copied: Path, value: float) -> None:
    weights = load_file(copied / "small.safetensors")
    name = "stem.0.weight"
    weights[name] = np.array(weights[name])
    weights[name].flat[1] = value
    save_file(weights, copied / "small.safetensors")
    content = (copied / "small.safetensors").read_bytes()
    file = changed(copied, "", weights_sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(StoreError, match="expected finite weights, got NaN or infinity") as caught:
        open_model(str(file))
    assert caught.value.problems == (f"in {name}",)


def test_a_network_far_larger_than_the_file_is_refused_without_being_built(copied: Path) -> None:
    file = changed(copied, "member.network", name="scratch_mlp", width=8, image_size_px=512)
    changed(copied, "preprocessing", image_size_px=512)
    start = time.process_time()
    with pytest.raises(StoreError, match="do not fit the network scratch_mlp") as caught:
        open_model(str(file))
    # 2,147,540,992 weights would be 8.6 GB.
    assert time.process_time() - start < 10
    assert len(caught.value.problems) == 11


NUMBERS = st.one_of(st.floats(), st.integers(-(10**9), 10**9), st.none(), st.text(max_size=3))


@settings(max_examples=40)
@given(
    changes=st.dictionaries(
        st.sampled_from(["image_size_px", "in_channels", "mean", "std", "tta", "classes"]),
        st.one_of(NUMBERS, st.lists(st.one_of(NUMBERS, st.sampled_from(["happy", "sad"])))),
        min_size=1,
    )
)
@example(changes={"std": 2.1243783020228857e-89})
def test_any_metadata_are_refused_or_give_probabilities(
    changes: dict[str, Any], exported: Exported, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    shutil.copytree(exported.folder, folder, dirs_exist_ok=True)
    file = changed(folder, "preprocessing", **changes)
    try:
        bundle = load_any_bundle(str(file))
    except StoreError:
        return
    probabilities = bundle.predict(np.full((2, 48, 48), 90, dtype=np.uint8))
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
