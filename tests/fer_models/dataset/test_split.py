"""Splits are stratified, reproducible, and never separate copies."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.snapshot import (
    KEPT,
    LABEL_ERROR,
    MANIFEST_DTYPES,
    QUARANTINED,
    open_snapshot,
    open_table,
    write_snapshot,
)
from fer_models.dataset.split import draw_groups, split_snapshot
from fer_models.errors import DataError
from fer_models.labels import NUM_CLASSES
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, snapshot_of

SOURCE = SplittingConfig()
STRATIFIED = SplittingConfig(strategy="stratified", validation_fraction=0.2, test_fraction=0.3)


def faces_in(split: str, count: int, start: int = 0) -> list[Face]:
    """Different images with cycling classes."""
    return [Face(split, number % NUM_CLASSES, start + number) for number in range(count)]


def split_of(
    store: ArtifactStore, faces: list[Face], config: SplittingConfig = SOURCE, seed: int = 0
) -> pd.DataFrame:
    result = split_snapshot(store, snapshot_of(store, faces), config, seed)
    return open_snapshot(store, result).manifest


def test_splits_of_the_source_are_kept(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 14), *faces_in("validation", 7, 20), *faces_in("test", 7, 40)]
    assert list(split_of(store, faces)["split"]) == [face.split for face in faces]


def test_a_source_without_test_split_gets_none(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 14), *faces_in("validation", 7, 20)]
    assert set(split_of(store, faces)["split"]) == {"train", "validation"}


def test_a_missing_validation_split_is_drawn_from_training_by_class(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 140), *faces_in("test", 7, 200)]
    manifest = split_of(store, faces)
    drawn = manifest[manifest["split"] == "validation"]
    assert drawn["label"].value_counts().to_dict() == dict.fromkeys(range(NUM_CLASSES), 2)
    assert list(manifest["split"].iloc[140:]) == ["test"] * 7


def test_training_alone_gets_validation_and_no_test(store: ArtifactStore) -> None:
    counts = split_of(store, faces_in("train", 70))["split"].value_counts()
    assert counts.to_dict() == {"train": 63, "validation": 7}


def test_a_source_without_splits_gets_all_three(store: ArtifactStore) -> None:
    counts = split_of(store, faces_in("", 140))["split"].value_counts()
    assert counts.to_dict() == {"train": 112, "validation": 14, "test": 14}


def test_held_out_images_are_not_chosen_by_what_networks_find_hard(store: ArtifactStore) -> None:
    raw = open_snapshot(store, snapshot_of(store, faces_in("", 140)))
    hard = np.arange(140) % 3 == 0
    manifest = raw.manifest.assign(
        status=np.where(hard, QUARANTINED, KEPT), reason=np.where(hard, LABEL_ERROR, "")
    )
    manifest.loc[[0, 3], "reason"] = "blank"
    cleaned = write_snapshot(store, manifest, raw.images, "clean", parent=raw.ref)
    result = split_snapshot(store, cleaned, SOURCE, 0)
    opened = open_snapshot(store, result)
    held_out = opened.manifest["split"] != "train"
    judged = hard & (manifest["reason"] == LABEL_ERROR).to_numpy()
    assert (opened.manifest["status"][judged & held_out] == KEPT).all()
    assert (opened.manifest["reason"][judged & held_out] == "").all()
    assert (opened.manifest["status"][judged & ~held_out] == QUARANTINED).all()
    assert opened.manifest["reason"].iloc[[0, 3]].tolist() == ["blank", "blank"]
    assert opened.info["restored"] == int((judged & held_out).sum()) > 5
    assert (judged & held_out)[opened.positions("test")].sum() > 0


def test_unassigned_images_beside_assigned_ones_go_to_training(store: ArtifactStore) -> None:
    faces = [*faces_in("", 14), *faces_in("validation", 7, 20), *faces_in("test", 7, 40)]
    ref = split_snapshot(store, snapshot_of(store, faces), SOURCE, 0)
    assert list(open_snapshot(store, ref).manifest["split"].iloc[:14]) == ["train"] * 14
    assert store.info(ref)["unassigned_put_into_train"] == 14


def test_stratified_ignores_the_splits_of_the_source(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 70), *faces_in("test", 70, 100)]
    manifest = split_of(store, faces, STRATIFIED)
    table = pd.crosstab(manifest["label"], manifest["split"])
    assert (table["test"] == 6).all()
    assert (table["validation"] == 4).all()
    assert (table["train"] == 10).all()


def test_the_split_depends_on_the_seed_only(store: ArtifactStore) -> None:
    snapshot = snapshot_of(store, faces_in("", 140))
    first = split_snapshot(store, snapshot, SOURCE, 1)
    assert split_snapshot(store, snapshot, SOURCE, 1).id == first.id
    assert split_snapshot(store, snapshot, SOURCE, 2).id != first.id


def test_quarantined_copies_follow_their_image(store: ArtifactStore) -> None:
    faces = [*faces_in("", 70), *[Face("", number % 7, number) for number in range(70)]]
    cleaned = clean_snapshot(store, snapshot_of(store, faces), CleaningConfig())
    manifest = open_snapshot(store, split_snapshot(store, cleaned, SOURCE, 0)).manifest
    assert (manifest["status"] != KEPT).sum() == 70
    assert list(manifest["split"].iloc[:70]) == list(manifest["split"].iloc[70:])
    kept = manifest[manifest["status"] == KEPT]
    assert kept["split"].value_counts().to_dict() == {"train": 56, "validation": 7, "test": 7}


def test_training_image_with_a_copy_in_test_is_not_drawn(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 70), *faces_in("test", 35)]
    for seed in range(5):
        manifest = split_of(store, faces, SOURCE, seed)
        assert (manifest["split"].iloc[:35] == "train").all()


def test_tables_are_passed_to_the_new_snapshot(store: ArtifactStore) -> None:
    cleaned = clean_snapshot(store, snapshot_of(store, faces_in("", 140)), CleaningConfig())
    ref = split_snapshot(store, cleaned, SOURCE, 0)
    assert len(open_table(store, ref, "decisions")) == 140
    assert store.info(ref)["step"] == "split"
    assert store.info(ref)["parent"] == cleaned.id


def test_unlabelled_test_images_are_allowed(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 70), Face("test", -1, 200), Face("test", -1, 201)]
    assert list(split_of(store, faces)["split"].iloc[70:]) == ["test", "test"]


def test_everything_missing_is_reported(store: ArtifactStore) -> None:
    faces = [Face("validation", 3, 1), Face("train", 0, 2, reason="bad_label")]
    with pytest.raises(DataError) as error:
        split_of(store, faces)
    problems = "\n".join(error.value.problems)
    assert len(error.value.problems) == 1 + NUM_CLASSES
    assert "split train: expected at least 1 kept labelled image, got 0" in problems
    assert (
        "class happy: expected at least 1 kept training image, got 0 (1 in all splits)" in problems
    )
    assert "splitting." not in str(error.value)  # no setting helps
    assert store.list_ids(type(snapshot_of(store, faces))) == [snapshot_of(store, faces).id]


@pytest.mark.parametrize(
    ("faces", "config"),
    [
        # Official splits without training images, or without a class in them.
        ([Face("test", n % 7, n) for n in range(70)], SplittingConfig()),
        (
            [face for face in faces_in("train", 70) if face.label != 3]
            + [Face("validation", 3, 100 + n) for n in range(14)],
            SplittingConfig(),
        ),
        # Fractions of which nothing is left for so few images.
        (faces_in("", 14), SplittingConfig(validation_fraction=0.01)),
        (faces_in("", 14), SplittingConfig(test_fraction=0.01)),
        (faces_in("", 14), SplittingConfig(validation_fraction=0.01, test_fraction=0.01)),
        (faces_in("train", 14), SplittingConfig(validation_fraction=0.01)),
    ],
)
def test_the_settings_that_the_message_names_make_a_split_possible(
    store: ArtifactStore, faces: list[Face], config: SplittingConfig
) -> None:
    with pytest.raises(DataError) as caught:
        split_of(store, faces, config)
    advice = re.findall(r"splitting\.(\w+)=([\w.]+)", caught.value.message)
    assert advice
    followed = SplittingConfig.model_validate({**config.model_dump(), **dict(advice)})
    assert len(split_of(store, faces, followed)) == len(faces)


def test_too_few_images_for_a_validation_split_are_rejected(store: ArtifactStore) -> None:
    faces = [Face("train", label, label) for label in range(3)]
    with pytest.raises(DataError) as error:
        split_of(store, faces)
    assert "split validation" in str(error.value)
    assert "class surprise" in str(error.value)


@pytest.mark.parametrize(("validation", "is_valid"), [(0.4, True), (0.41, False)])
def test_a_fifth_is_left_for_training(validation: float, is_valid: bool) -> None:
    fractions = {"validation_fraction": validation, "test_fraction": 0.4}
    if is_valid:
        assert SplittingConfig(**fractions).validation_fraction == validation
    else:
        with pytest.raises(ValueError, match=r"must be at most 0\.8"):
            SplittingConfig(**fractions)


@pytest.mark.parametrize("fraction", [0.0, 0.5])
@pytest.mark.parametrize("name", ["validation_fraction", "test_fraction"])
def test_fractions_lie_between_zero_and_a_half(name: str, fraction: float) -> None:
    with pytest.raises(ValueError, match=name):
        SplittingConfig(**{name: fraction})


@pytest.mark.parametrize(("num_copies", "num_drawn"), [(2, 2), (3, 0)])
def test_a_group_is_drawn_only_if_all_of_it_fits(num_copies: int, num_drawn: int) -> None:
    manifest = pd.DataFrame(
        {"label": 3, "status": KEPT, "duplicate_group": [0] * num_copies}, index=range(num_copies)
    )
    everything = np.ones(num_copies, dtype=bool)
    # A share of 2 of 2, or of 2 of 3.
    fraction = 2 / num_copies
    drawn = draw_groups(manifest, everything, fraction, np.random.default_rng(0))
    assert drawn.sum() == num_drawn


def test_the_validation_fraction_is_of_all_images(store: ArtifactStore) -> None:
    config = SplittingConfig(strategy="stratified", validation_fraction=0.3, test_fraction=0.4)
    counts = split_of(store, faces_in("", 70), config)["split"].value_counts()
    assert counts.to_dict() == {"train": 21, "validation": 21, "test": 28}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_one_kept_image_is_enough_for_a_split(store: ArtifactStore, split: str) -> None:
    other = "train" if split == "validation" else "validation"
    faces = [Face("train", label, label) for label in range(NUM_CLASSES)]
    faces += [Face("validation", 0, 50)]
    assert len(split_of(store, faces)) == len(faces)
    one_less = [face for face in faces if face.split == other]
    with pytest.raises(DataError, match="can't be split for training and evaluation"):
        split_of(store, one_less)


@st.composite
def manifests(draw: st.DrawFn) -> pd.DataFrame:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 400))
    num_pictures = draw(st.integers(1, count))
    pictures = rng.integers(0, num_pictures, size=count)
    labels = rng.integers(-1, NUM_CLASSES, size=num_pictures)[pictures]
    first = {int(p): i for i, p in reversed(list(enumerate(pictures)))}
    return pd.DataFrame(index=range(count), columns=list(MANIFEST_DTYPES)).assign(
        label=labels,
        duplicate_group=[first[int(p)] for p in pictures],
        status=np.where(rng.random(count) < 0.2, "quarantined", KEPT),
    )


@settings(max_examples=25)
@given(manifest=manifests(), fraction=st.floats(0.01, 0.49), seed=st.integers(0, 1000))
def test_a_draw_keeps_groups_together_and_matches_the_share(
    manifest: pd.DataFrame, fraction: float, seed: int
) -> None:
    everything = np.ones(len(manifest), dtype=bool)
    drawn = draw_groups(manifest, everything, fraction, np.random.default_rng(seed))
    per_group = pd.Series(drawn).groupby(manifest["duplicate_group"].to_numpy()).nunique()
    assert (per_group == 1).all()
    usable = ((manifest["status"] == KEPT) & (manifest["label"] >= 0)).to_numpy()
    sizes = manifest[usable].groupby("duplicate_group").size()
    largest = int(sizes.max()) if len(sizes) else 0
    for label in range(NUM_CLASSES):
        of_class = usable & (manifest["label"] == label).to_numpy()
        wanted = fraction * of_class.sum()
        assert wanted - 1 - largest < (of_class & drawn).sum() < wanted + 1 + 1e-9


@settings(max_examples=25)
@given(manifest=manifests(), fraction=st.floats(0.05, 0.49), seed=st.integers(0, 1000))
def test_a_draw_without_copies_matches_the_total_share(
    manifest: pd.DataFrame, fraction: float, seed: int
) -> None:
    manifest = manifest.assign(duplicate_group=range(len(manifest)))
    usable = ((manifest["status"] == KEPT) & (manifest["label"] >= 0)).to_numpy()
    assume(usable.any())
    drawn = draw_groups(
        manifest, np.ones(len(manifest), dtype=bool), fraction, np.random.default_rng(seed)
    )
    assert abs((drawn & usable).sum() - fraction * usable.sum()) <= 0.5 + 1e-9
