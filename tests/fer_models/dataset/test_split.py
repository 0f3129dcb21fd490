import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.snapshot import KEPT, MANIFEST_DTYPES, open_snapshot, open_table
from fer_models.dataset.split import draw_groups, split_snapshot
from fer_models.errors import DataError
from fer_models.labels import NUM_CLASSES
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, snapshot_of

SOURCE = SplittingConfig()
STRATIFIED = SplittingConfig(strategy="stratified", validation_fraction=0.2, test_fraction=0.3)


def faces_in(split: str, count: int, start: int = 0) -> list[Face]:
    """Different pictures, the classes in turns."""
    return [Face(split, number % NUM_CLASSES, start + number) for number in range(count)]


def split_of(
    store: ArtifactStore, faces: list[Face], config: SplittingConfig = SOURCE, seed: int = 0
) -> pd.DataFrame:
    result = split_snapshot(store, snapshot_of(store, faces), config, seed)
    return open_snapshot(store, result).manifest


def test_splits_of_the_source_stay(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 14), *faces_in("validation", 7, 20), *faces_in("test", 7, 40)]
    assert list(split_of(store, faces)["split"]) == [face.split for face in faces]


def test_source_without_test_keeps_none(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 14), *faces_in("validation", 7, 20)]
    assert set(split_of(store, faces)["split"]) == {"train", "validation"}


def test_missing_validation_is_drawn_from_training_by_class(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 140), *faces_in("test", 7, 200)]
    manifest = split_of(store, faces)
    drawn = manifest[manifest["split"] == "validation"]
    assert drawn["label"].value_counts().to_dict() == dict.fromkeys(range(NUM_CLASSES), 2)
    assert list(manifest["split"].iloc[140:]) == ["test"] * 7


def test_training_alone_gives_validation_and_no_test(store: ArtifactStore) -> None:
    counts = split_of(store, faces_in("train", 70))["split"].value_counts()
    assert counts.to_dict() == {"train": 63, "validation": 7}


def test_source_without_any_split_gets_all_three(store: ArtifactStore) -> None:
    counts = split_of(store, faces_in("", 140))["split"].value_counts()
    assert counts.to_dict() == {"train": 112, "validation": 14, "test": 14}


def test_unassigned_images_beside_others_go_to_training(store: ArtifactStore) -> None:
    faces = [*faces_in("", 14), *faces_in("validation", 7, 20), *faces_in("test", 7, 40)]
    ref = split_snapshot(store, snapshot_of(store, faces), SOURCE, 0)
    assert list(open_snapshot(store, ref).manifest["split"].iloc[:14]) == ["train"] * 14
    assert store.info(ref)["unassigned_put_into_train"] == 14


def test_stratified_draws_all_anew(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 70), *faces_in("test", 70, 100)]
    manifest = split_of(store, faces, STRATIFIED)
    table = pd.crosstab(manifest["label"], manifest["split"])
    assert (table["test"] == 6).all()
    assert (table["validation"] == 4).all()
    assert (table["train"] == 10).all()


def test_same_seed_same_split_other_seed_another(store: ArtifactStore) -> None:
    snapshot = snapshot_of(store, faces_in("", 140))
    first = split_snapshot(store, snapshot, SOURCE, 1)
    assert split_snapshot(store, snapshot, SOURCE, 1).id == first.id
    assert split_snapshot(store, snapshot, SOURCE, 2).id != first.id


def test_quarantined_copy_goes_where_its_image_goes(store: ArtifactStore) -> None:
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


def test_tables_are_carried_on(store: ArtifactStore) -> None:
    cleaned = clean_snapshot(store, snapshot_of(store, faces_in("", 140)), CleaningConfig())
    ref = split_snapshot(store, cleaned, SOURCE, 0)
    assert len(open_table(store, ref, "decisions")) == 140
    assert store.info(ref)["step"] == "split"
    assert store.info(ref)["parent"] == cleaned.id


def test_unlabelled_test_images_are_allowed(store: ArtifactStore) -> None:
    faces = [*faces_in("train", 70), Face("test", -1, 200), Face("test", -1, 201)]
    assert list(split_of(store, faces)["split"].iloc[70:]) == ["test", "test"]


def test_everything_that_is_missing_is_told(store: ArtifactStore) -> None:
    faces = [Face("validation", 3, 1), Face("train", 0, 2, reason="bad_label")]
    with pytest.raises(DataError) as error:
        split_of(store, faces)
    problems = "\n".join(error.value.problems)
    assert len(error.value.problems) == 1 + NUM_CLASSES
    assert "split train: expected at least 1 kept labelled image, got 0" in problems
    assert (
        "class happy: expected at least 1 kept training image, got 0 (1 in all splits)" in problems
    )
    assert "splitting.strategy" in str(error.value)
    assert store.list_ids(type(snapshot_of(store, faces))) == [snapshot_of(store, faces).id]


def test_too_few_images_for_a_validation_split(store: ArtifactStore) -> None:
    faces = [Face("train", label, label) for label in range(3)]
    with pytest.raises(DataError) as error:
        split_of(store, faces)
    assert "split validation" in str(error.value)
    assert "class surprise" in str(error.value)


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


@settings(max_examples=25, deadline=None)
@given(manifest=manifests(), fraction=st.floats(0.01, 0.49), seed=st.integers(0, 1000))
def test_draw_keeps_groups_together_and_meets_the_share(
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


@settings(max_examples=25, deadline=None)
@given(manifest=manifests(), fraction=st.floats(0.05, 0.49), seed=st.integers(0, 1000))
def test_single_images_meet_the_share_of_the_whole(
    manifest: pd.DataFrame, fraction: float, seed: int
) -> None:
    manifest = manifest.assign(duplicate_group=range(len(manifest)))
    usable = ((manifest["status"] == KEPT) & (manifest["label"] >= 0)).to_numpy()
    assume(usable.any())
    drawn = draw_groups(
        manifest, np.ones(len(manifest), dtype=bool), fraction, np.random.default_rng(seed)
    )
    assert abs((drawn & usable).sum() - fraction * usable.sum()) <= 0.5 + 1e-9
