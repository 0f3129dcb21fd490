import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.cleaning.rules import apply_rules
from fer_models.cleaning.state import CleaningState, uncleaned_manifest
from fer_models.dataset.snapshot import (
    KEPT,
    QUARANTINED,
    SPLITS,
    open_snapshot,
    open_table,
)
from fer_models.labels import NUM_CLASSES, UNLABELLED, Expression
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.generate import (
    BLANK,
    EXACT_DUPLICATE,
    LEAK,
    NEAR_DUPLICATE,
    SyntheticFaces,
)
from tests.fer_models.cleaning.snapshots import Face, manifest_of, picture, snapshot_of

HAPPY, SAD, FEAR = Expression.HAPPY, Expression.SAD, Expression.FEAR
BALANCED, STRICT = CleaningConfig(), CleaningConfig(policy="strict")


def reasons(
    store: ArtifactStore, faces: list[Face], config: CleaningConfig = BALANCED
) -> list[str]:
    cleaned = clean_snapshot(store, snapshot_of(store, faces), config)
    manifest = open_snapshot(store, cleaned).manifest
    assert ((manifest["reason"] == "") == (manifest["status"] == KEPT)).all()
    assert set(manifest["status"]) <= {KEPT, QUARANTINED}
    return list(manifest["reason"])


def test_policy_off_keeps_everything(store: ArtifactStore) -> None:
    faces = [Face("train", HAPPY, 1), Face("train", HAPPY, 1), Face("test", HAPPY, 1)]
    assert reasons(store, faces, CleaningConfig(policy="off")) == ["", "", ""]


def test_first_of_equal_copies_is_kept(store: ArtifactStore) -> None:
    faces = [Face("train", HAPPY, 1), Face("train", SAD, 2), Face("train", HAPPY, 1)]
    assert reasons(store, faces) == ["", "", "exact_duplicate"]


def test_a_labelled_copy_is_kept_rather_than_an_unlabelled_one(store: ArtifactStore) -> None:
    faces = [Face("train", UNLABELLED, 1), Face("train", HAPPY, 1)]
    assert reasons(store, faces) == ["exact_duplicate", ""]


def test_held_out_splits_are_never_modified(store: ArtifactStore) -> None:
    for split in ("validation", "test"):
        faces = [
            Face(split, HAPPY, 1),
            Face(split, SAD, 1),
            Face(split, HAPPY, 2, votes={"nf": 10}),
            Face(split, HAPPY, 3),
            Face(split, HAPPY, 3),
        ]
        assert reasons(store, faces, STRICT) == [""] * 5


def test_training_copy_of_held_out_image_is_a_leak(store: ArtifactStore) -> None:
    faces = [
        Face("train", HAPPY, 1),
        Face("validation", HAPPY, 1),
        Face("train", SAD, 2),
        Face("test", SAD, 2),
        Face("train", SAD, 3),
    ]
    assert reasons(store, faces) == ["leak", "", "leak", "", ""]


def test_only_blank_training_images_are_quarantined(store: ArtifactStore) -> None:
    faces = [Face("train", HAPPY, 1), Face("validation", HAPPY, 2), Face("test", HAPPY, 3)]
    images = np.stack([np.full((48, 48), level, dtype=np.uint8) for level in (0, 90, 255)])
    cleaned = clean_snapshot(store, snapshot_of(store, faces, images), BALANCED)
    assert list(open_snapshot(store, cleaned).manifest["reason"]) == ["blank", "", ""]


def test_a_conflict_without_votes_leaves_no_copy(store: ArtifactStore) -> None:
    faces = [Face("train", HAPPY, 1), Face("train", SAD, 1), Face("train", HAPPY, 1)]
    assert reasons(store, faces) == ["conflicting_label"] * 3


def test_conflict_with_unassigned_splits_is_found(store: ArtifactStore) -> None:
    faces = [Face("", HAPPY, 1), Face("", SAD, 1), Face("", SAD, 2), Face("", SAD, 2)]
    found = reasons(store, faces)
    assert found == ["conflicting_label", "conflicting_label", "", "exact_duplicate"]


def test_votes_settle_a_conflict(store: ArtifactStore) -> None:
    votes = {"sadness": 7, "happiness": 3}
    faces = [
        Face("train", HAPPY, 1, votes),
        Face("train", SAD, 1, votes),
        Face("train", SAD, 1, votes),
    ]
    assert reasons(store, faces) == ["conflicting_label", "", "exact_duplicate"]


@pytest.mark.parametrize(
    "votes",
    [
        {"sadness": 5, "happiness": 5},  # a tie
        {"fear": 8, "happiness": 2},  # for a label that no copy has
        {"contempt": 6, "happiness": 4},  # for no class of FER2013
        {"nf": 9, "happiness": 1},
    ],
)
def test_undecided_votes_leave_no_copy(store: ArtifactStore, votes: dict[str, int]) -> None:
    faces = [Face("train", HAPPY, 1, votes), Face("train", SAD, 1, votes)]
    assert reasons(store, faces) == ["conflicting_label"] * 2


def test_enough_votes_quarantine_training_non_faces(store: ArtifactStore) -> None:
    faces = [
        Face("train", HAPPY, 1, votes={"nf": 5, "happiness": 5}),
        Face("train", HAPPY, 2, votes={"nf": 4, "happiness": 6}),
        Face("validation", HAPPY, 3, votes={"nf": 10}),
    ]
    assert reasons(store, faces, STRICT) == ["not_a_face", "", ""]
    assert reasons(store, faces, BALANCED) == ["not_a_face", "", ""]


def test_near_duplicates_of_held_out_and_earlier_training_images_are_found(
    store: ArtifactStore,
) -> None:
    faces = [Face("train", HAPPY, 1), Face("train", HAPPY, 2), Face("validation", SAD, 3)]
    near = np.clip(picture(1).astype(int) + 7, 0, 255).astype(np.uint8)
    held = np.clip(picture(3).astype(int) - 5, 0, 255).astype(np.uint8)
    images = np.stack([picture(1), near, picture(3)])
    snapshot = snapshot_of(store, [*faces, Face("train", SAD, 4)], np.stack([*images, held]))
    cleaned = clean_snapshot(store, snapshot, BALANCED)
    found = open_table(store, cleaned, "decisions")
    assert list(found["reason"]) == ["", "near_duplicate", "", "near_duplicate"]
    assert list(found["related_id"]) == ["", "hand/000000", "", "hand/000002"]


def test_images_quarantined_by_ingest_stay_quarantined(store: ArtifactStore) -> None:
    faces = [
        Face("validation", HAPPY, 1, reason="unreadable"),
        Face("train", HAPPY, 1),
        Face("train", HAPPY, 2, reason="bad_label"),
    ]
    assert reasons(store, faces) == ["unreadable", "", "bad_label"]


def test_decisions_table_lists_every_image(store: ArtifactStore) -> None:
    votes = {"sadness": 7, "happiness": 3}
    faces = [
        Face("train", HAPPY, 1, votes),
        Face("train", SAD, 1, votes),
        Face("train", SAD, 2, {"nf": 8, "sadness": 2}),
        Face("test", SAD, 3),
    ]
    cleaned = clean_snapshot(store, snapshot_of(store, faces), STRICT)
    table = open_table(store, cleaned, "decisions")
    assert list(table.columns) == [
        "image_id", "source", "row", "split", "label", "action", "reason", "score", "evidence",
        "suggested_label", "related_id", "probability", "suggested_probability",
    ]  # fmt: skip
    assert table["image_id"].tolist() == [f"hand/00000{row}" for row in range(4)]
    assert table["action"].tolist() == ["quarantine", "keep", "quarantine", "keep"]
    assert table["reason"].tolist() == ["conflicting_label", "", "not_a_face", ""]
    assert table["evidence"].tolist() == pytest.approx([0.0, 1.0, 0.2, 1.0])
    assert table["score"].tolist() == [1.0] * 4
    assert table["related_id"].tolist() == ["hand/000001", "", "", ""]
    assert table["suggested_label"].tolist() == [SAD, -1, -1, -1]


def test_images_are_shared_with_the_parent(store: ArtifactStore) -> None:
    snapshot = snapshot_of(store, [Face("train", HAPPY, 1), Face("train", HAPPY, 1)])
    cleaned = clean_snapshot(store, snapshot, BALANCED)
    assert (
        store.describe(cleaned).files["images.npy"] == store.describe(snapshot).files["images.npy"]
    )
    assert store.info(cleaned)["parent"] == snapshot.id
    assert store.info(cleaned)["actions"] == {"keep": 1, "quarantine": 1}
    assert store.info(cleaned)["reasons"] == {"exact_duplicate": 1}


def test_cleaning_reports_progress(store: ArtifactStore) -> None:
    events: list[Progress] = []
    with listening(events.append):
        clean_snapshot(store, snapshot_of(store, [Face("train", HAPPY, 1)]), STRICT)
    assert {progress.stage for progress in events} == {"clean"}
    assert events[-1].done == events[-1].total


faces_strategy = st.lists(
    st.builds(
        Face,
        split=st.sampled_from(["", *SPLITS]),
        label=st.integers(-1, NUM_CLASSES - 1),
        picture=st.integers(0, 4),
        votes=st.sampled_from([{}, {"sadness": 6, "fear": 4}, {"nf": 7, "anger": 3}]),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=30)
@given(faces=faces_strategy, config=st.sampled_from([BALANCED, STRICT]))
def test_cleaning_is_idempotent_and_leaves_no_copies_or_leaks(
    faces: list[Face], config: CleaningConfig
) -> None:
    images = np.stack([picture(face.picture) for face in faces])
    first = CleaningState(manifest_of(faces, images), images)
    apply_rules(first, config)
    cleaned = first.cleaned_manifest()
    second = CleaningState(uncleaned_manifest(cleaned, first.decisions()), images)
    apply_rules(second, config)
    pd.testing.assert_frame_equal(second.cleaned_manifest(), cleaned)
    pd.testing.assert_frame_equal(second.decisions(), first.decisions())
    is_held_out = cleaned["split"].isin(["validation", "test"])
    assert (cleaned.loc[is_held_out, "status"] == KEPT).all()
    left = cleaned[(cleaned["status"] == KEPT)].assign(
        role=lambda table: table["split"].replace("", "train")
    )
    training = left[left["role"] == "train"]
    assert training["pixel_sha256"].is_unique
    assert not set(training["pixel_sha256"]) & set(left.loc[is_held_out, "pixel_sha256"])


def test_cleaning_a_cleaned_snapshot_gives_the_same_one(store: ArtifactStore) -> None:
    near = np.clip(picture(1).astype(int) + 7, 0, 255).astype(np.uint8)
    images = np.stack([picture(1), near, picture(2), picture(2)])
    faces = [Face("train", label, 0) for label in (HAPPY, SAD, FEAR, FEAR)]
    once = clean_snapshot(store, snapshot_of(store, faces, images), STRICT)
    assert clean_snapshot(store, once, STRICT).id == once.id


def test_cleaning_with_another_policy_starts_afresh(store: ArtifactStore) -> None:
    faces = [Face("train", HAPPY, 1), Face("train", HAPPY, 1), Face("train", SAD, 2, reason="odd")]
    raw = snapshot_of(store, faces)
    once = clean_snapshot(store, raw, STRICT)
    off = clean_snapshot(store, once, CleaningConfig(policy="off"))
    assert list(open_snapshot(store, off).manifest["reason"]) == ["", "", "odd"]


def synthetic_review(faces: SyntheticFaces, config: CleaningConfig) -> pd.DataFrame:
    plain = [
        Face(split, label, 0)
        for split, label in zip(
            faces.manifest_fields["split"], faces.manifest_fields["label"], strict=True
        )
    ]
    state = CleaningState(manifest_of(plain, faces.images), faces.images)
    apply_rules(state, config)
    return state.decisions().join(faces.truth[["defect", "original_row"]])


def test_planted_defects_are_found_and_nothing_else(synthetic: SyntheticFaces) -> None:
    found = synthetic_review(synthetic, BALANCED)
    for defect in (BLANK, LEAK):
        assert ((found["reason"] == defect) == (found["defect"] == defect)).all(), defect
    # The earlier of two equal images is kept, whether original or planted copy.
    pairs = found[found["defect"] == EXACT_DUPLICATE]
    later = np.maximum(pairs.index.to_numpy(), pairs["original_row"].to_numpy())
    assert set(found.index[found["reason"] == EXACT_DUPLICATE]) == set(later)
    assert set(found["reason"]) == {"", BLANK, LEAK, EXACT_DUPLICATE, NEAR_DUPLICATE}


def test_planted_near_duplicates_are_found_and_no_other_face(synthetic: SyntheticFaces) -> None:
    found = synthetic_review(synthetic, BALANCED)
    pairs = found[found["defect"] == NEAR_DUPLICATE]
    truth = set(np.maximum(pairs.index.to_numpy(), pairs["original_row"].to_numpy()))
    near = set(found.index[found["reason"] == "near_duplicate"])
    assert near <= truth
    assert len(near) >= 0.95 * len(truth)
