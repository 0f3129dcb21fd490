"""No drawn split has an exact or near copy in another one, whatever the source and cleaning."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset import split as split_module
from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.copies import group_copies, search_copies
from fer_models.dataset.snapshot import (
    IMAGE_SIZE_PX,
    SPLITS,
    DatasetSnapshot,
    Images,
    open_snapshot,
    write_snapshot,
)
from fer_models.dataset.split import draw_groups, split_snapshot
from fer_models.errors import DataError
from fer_models.labels import LABELLED_SOURCE, NUM_CLASSES
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import NEAR_DUPLICATE, generate_synthetic
from tests.fer_models.cleaning.snapshots import Face, snapshot_of
from tests.fer_models.dataset.near_duplicate_reference import pair_similarity

STRATIFIED = SplittingConfig(strategy="stratified", validation_fraction=0.2, test_fraction=0.3)
POLICIES = ("off", "balanced", "strict")
BICUBIC = Image.Resampling.BICUBIC
WIDE_PX = 67


def photos(count: int, width: int = IMAGE_SIZE_PX) -> Images:
    """Different smooth pictures, as wide as asked."""
    cells = np.random.default_rng(3).integers(0, 256, size=(count, 5, 7)).astype(np.uint8)
    size = (width, IMAGE_SIZE_PX)
    return np.stack([np.asarray(Image.fromarray(one).resize(size, BICUBIC)) for one in cells])


def chain(photo: Images, length: int) -> Images:
    """Crops of a wide photo, each 2 pixels further to the right."""
    return np.stack([photo[:, 2 * n : 2 * n + IMAGE_SIZE_PX] for n in range(length)])


def assert_drawn_without_copies(snapshot: DatasetSnapshot, drawn: tuple[str, ...]) -> None:
    """No group of copies is in a drawn split and in another one."""
    copies, split = search_copies(snapshot), snapshot.manifest["split"].to_numpy()
    for name in drawn:
        assert not np.isin(copies.group[split == name], copies.group[split != name]).any()
        assert not copies.near_training[snapshot.positions(name)].any()


def cleaned_and_split(
    store: ArtifactStore, raw: SnapshotRef, policy: str, config: SplittingConfig
) -> DatasetSnapshot:
    cleaned = clean_snapshot(store, raw, CleaningConfig.model_validate({"policy": policy}))
    return open_snapshot(store, split_snapshot(store, cleaned, config, 0))


@pytest.fixture(scope="module")
def pairs() -> tuple[Images, np.ndarray, pd.DataFrame]:
    """Synthetic faces, their labels, and the planted pairs of near duplicates."""
    config = SyntheticConfig(num_images=140, near_duplicate_fraction=0.19)
    faces = generate_synthetic(config, seed=1)
    planted = faces.truth[faces.truth["defect"] == NEAR_DUPLICATE]
    return faces.images, faces.manifest_fields["label"].to_numpy(), planted


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("source", "config", "drawn"),
    [
        (("train", "test"), STRATIFIED, ("validation", "test")),
        (("test",), STRATIFIED, ("validation", "test")),
        (("",), SplittingConfig(), ("validation", "test")),
        (("train",), SplittingConfig(validation_fraction=0.3), ("validation",)),
        (("train", "test"), SplittingConfig(validation_fraction=0.3), ("validation",)),
    ],
)
def test_planted_near_copies_are_never_drawn_apart(
    store: ArtifactStore,
    pairs: tuple[Images, np.ndarray, pd.DataFrame],
    source: tuple[str, ...],
    config: SplittingConfig,
    drawn: tuple[str, ...],
    policy: str,
) -> None:
    images, labels, planted = pairs
    names = np.random.default_rng(4).choice(source, size=len(images))
    faces = [Face(split, label, 0) for split, label in zip(names, labels, strict=True)]
    result = cleaned_and_split(store, snapshot_of(store, faces, images), policy, config)
    split = result.manifest["split"].to_numpy()
    of_copy, of_original = split[planted["row"]], split[planted["original_row"]]
    held_out = np.isin(of_copy, drawn) | np.isin(of_original, drawn)
    assert held_out.any()
    assert (of_copy == of_original)[held_out].all()
    assert_drawn_without_copies(result, drawn)


def test_only_neighbours_in_a_chain_are_near_copies() -> None:
    for photo in photos(6, WIDE_PX):
        images = chain(photo, 6)
        near = [pair_similarity(images[0], other, False) >= 0.95 for other in images]
        assert near == [True, True, False, False, False, False]


@settings(max_examples=10, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 6), min_size=1, max_size=6),
    seed=st.integers(0, 2**16),
    source=st.sampled_from([("",), ("train",), ("train", "test"), ("", "test")]),
    policy=st.sampled_from(POLICIES),
    strategy=st.sampled_from(["source", "stratified"]),
)
@example(lengths=[2], seed=6, source=("train", "test"), policy="off", strategy="source")
def test_chains_of_near_copies_are_never_drawn_apart(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    seed: int,
    source: tuple[str, ...],
    policy: str,
    strategy: str,
) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("store"))))
    rng = np.random.default_rng(seed)
    wide = photos(6, WIDE_PX)
    chains = [chain(photo, length) for photo, length in zip(wide, lengths, strict=False)]
    images = np.concatenate([photos(56)[6:], *chains])
    faces = [Face(str(rng.choice(source)), n % NUM_CLASSES, 0) for n in range(len(images))]
    # Two images of each class to learn from: a source that has none for a class is refused.
    faces[: 2 * NUM_CLASSES] = [Face(source[0], n % NUM_CLASSES, 0) for n in range(2 * NUM_CLASSES)]
    raw = snapshot_of(store, faces, images[rng.permutation(len(images))])
    config = SplittingConfig.model_validate(
        {"strategy": strategy, "validation_fraction": 0.3, "test_fraction": 0.3}
    )
    result = cleaned_and_split(store, raw, policy, config)
    drawn = tuple(result.info["drawn_splits"])
    assert drawn
    assert_drawn_without_copies(result, drawn)


def test_training_image_with_a_near_copy_in_test_is_not_drawn(store: ArtifactStore) -> None:
    plain = photos(70)
    images = np.concatenate([plain, plain[:35] // 2 + 30])
    faces = [Face("train" if n < 70 else "test", n % NUM_CLASSES, 0) for n in range(105)]
    raw = snapshot_of(store, faces, images)
    for seed in range(5):
        config = SplittingConfig(validation_fraction=0.3)
        split = open_snapshot(store, split_snapshot(store, raw, config, seed)).manifest["split"]
        assert (split.iloc[:35] == "train").all()
        assert (split == "validation").any()


def test_a_held_out_face_has_no_near_copy_among_those_that_people_labelled(
    store: ArtifactStore,
) -> None:
    plain = photos(70)
    images = np.concatenate([plain, plain[:35, :, ::-1]])
    faces = [Face("", n % NUM_CLASSES, 0) for n in range(105)]
    opened = open_snapshot(store, snapshot_of(store, faces, images))
    source = np.where(np.arange(105) < 70, "hand", LABELLED_SOURCE)
    raw = write_snapshot(
        store, opened.manifest.assign(source=source), opened.images, "ingest", parent=opened.ref
    )
    split = open_snapshot(store, split_snapshot(store, raw, STRATIFIED, 0)).manifest["split"]
    assert (split.iloc[:35] == "train").all()
    assert set(split) == set(SPLITS)


def test_without_near_copies_the_draw_is_that_of_exact_copies(store: ArtifactStore) -> None:
    plain = photos(70)
    images = np.concatenate([plain, plain[::3]])
    faces = [Face("train", n % NUM_CLASSES, 0) for n in [*range(70), *range(0, 70, 3)]]
    raw = snapshot_of(store, faces, images)
    config = SplittingConfig(validation_fraction=0.2)
    result = open_snapshot(store, split_snapshot(store, raw, config, 7)).manifest
    everything = np.ones(len(faces), dtype=bool)
    manifest = open_snapshot(store, raw).manifest
    drawn = draw_groups(manifest, everything, 0.2, np.random.default_rng(7))
    assert (result["split"] == "validation").tolist() == drawn.tolist()
    assert result["duplicate_group"].tolist() == manifest["duplicate_group"].tolist()


def test_near_copies_are_searched_once_and_only_for_a_draw(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[str] = []

    def spy(snapshot: DatasetSnapshot, rows: np.ndarray, stage: str) -> np.ndarray:
        searches.append(stage)
        return group_copies(snapshot, rows, stage)

    monkeypatch.setattr(split_module, "group_copies", spy)
    images = photos(28)
    for names, num_searches in ((SPLITS, 0), (("train",), 1)):
        faces = [Face(names[n % len(names)], n % NUM_CLASSES, 0) for n in range(28)]
        split_snapshot(store, snapshot_of(store, faces, images), SplittingConfig(), 0)
        assert searches == ["split"] * num_searches
    searches.clear()
    faces = [Face("", n % NUM_CLASSES, 0) for n in range(28)]
    with pytest.raises(DataError, match=r"set splitting\."):  # many other settings are tried
        split_snapshot(
            store, snapshot_of(store, faces, images), SplittingConfig(test_fraction=0.01), 0
        )
    assert searches == ["split"]
