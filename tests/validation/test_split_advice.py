"""Advice of the data gate that other steps carry out, and about names of checks."""

import re

import pytest

from fer_models.cleaning.clean import clean_snapshot
from fer_models.dataset.snapshot import KEPT, open_snapshot
from fer_models.dataset.split import split_snapshot
from fer_models.errors import DataError
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config
from tests.fer_models.following import assigned, refusal
from tests.validation.snapshots import valid_draft
from tests.validation.test_advice import leaks, no_training_split, written
from validation.config import ValidationConfig
from validation.settings import check_settings
from validation.suites import leakage, splits


def remedy(module: object, check: str) -> str:
    [found] = [one for one in module.checks(ValidationConfig()) if one.name == check]  # type: ignore[attr-defined]
    return str(found.remedy)


def num_leaks(store: ArtifactStore, snapshot: SnapshotRef) -> int:
    """The number of training images with the pixels of an image of another split."""
    table = open_snapshot(store, snapshot).manifest
    training = (table["split"] == "train") & (table["status"] == KEPT)
    held_out = table.loc[table["split"] != "train", "pixel_sha256"]
    return int(table.loc[training, "pixel_sha256"].isin(set(held_out)).sum())


def test_leaks_end_by_either_way_that_is_proposed(store: ArtifactStore) -> None:
    draft = valid_draft()
    leaks(draft)
    raw = written(store, draft)
    text = remedy(leakage, "test_leak_share")
    assert assigned(text) == ["splitting.strategy=stratified"]
    kept = load_config("demo", ["splitting.strategy=source"])
    assert num_leaks(store, split_snapshot(store, raw, kept.splitting, 0)) > 0
    drawn = load_config("demo", assigned(text))
    assert num_leaks(store, split_snapshot(store, raw, drawn.splitting, 0)) == 0
    assert "leave the training copies to cleaning, which quarantines them" in text
    cleaned = clean_snapshot(store, raw, kept.cleaning)
    assert num_leaks(store, split_snapshot(store, cleaned, kept.splitting, 0)) == 0


def test_data_without_a_training_split_are_split_again_as_proposed(store: ArtifactStore) -> None:
    draft = valid_draft()
    no_training_split(draft)
    raw = written(store, draft)
    text = remedy(splits, "training_split_present")
    assert assigned(text) == [
        "splitting.strategy=stratified",
        "validation.severities.training_split_present=warning",
    ]
    with pytest.raises(DataError):
        split_snapshot(store, raw, load_config("demo").splitting, 0)
    config = load_config("demo", assigned(text))  # tests/validation/test_advice.py: the gate opens
    table = open_snapshot(store, split_snapshot(store, raw, config.splitting, 0)).manifest
    assert (table["split"] == "train").mean() > 0.5


def test_a_check_that_does_not_exist_is_replaced_by_each_that_is_offered(
    store: ArtifactStore,
) -> None:
    def check(name: str) -> None:
        config = load_config("demo", [f"validation.severities.{name}=warning"])
        check_settings(store, config.validation)

    message = refusal(check, "leak_share")
    assert "validation.severities: there is no check" in message
    offered = re.findall(r"\w+", message.partition("did you mean ")[2].replace(" or ", " "))
    assert set(offered) >= {"test_leak_share", "validation_leak_share"}
    for name in offered:
        check(name)
