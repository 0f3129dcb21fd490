"""Cleaning by label and face scores, by votes and by people's decisions."""

import numpy as np
import pandas as pd
import pytest

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.snapshot import open_snapshot, open_table, write_snapshot
from fer_models.errors import DataError
from fer_models.labels import LABELLED_SOURCE, UNLABELLED, Expression
from fer_models.review.decisions import parse_decisions, publish_decisions
from fer_models.storage.refs import DecisionsRef, ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, manifest_of, picture, scores_of, snapshot_of

HAPPY, SAD, FEAR = Expression.HAPPY, Expression.SAD, Expression.FEAR
BALANCED, STRICT = CleaningConfig(), CleaningConfig(policy="strict")


def published(store: ArtifactStore, *lines: str) -> DecisionsRef:
    text = "\n".join(["image_id,action,label", *lines])
    return publish_decisions(store, parse_decisions(text, "by hand"))


def table_of(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    config: CleaningConfig = BALANCED,
    scores: ScoresRef | None = None,
    decisions: DecisionsRef | None = None,
) -> pd.DataFrame:
    cleaned = clean_snapshot(store, snapshot, config, scores, decisions)
    manifest = open_snapshot(store, cleaned).manifest
    return open_table(store, cleaned, "decisions").assign(label_now=manifest["label"])


def test_worst_training_labels_are_errors_and_every_image_has_a_score(
    store: ArtifactStore,
) -> None:
    splits = ("train", "train", "validation", "test")
    snapshot = snapshot_of(store, [Face(split, SAD, n) for n, split in enumerate(splits)])
    scores = scores_of(store, snapshot, [0.05, 0.7, 0.05, 0.05])
    table = table_of(store, snapshot, scores=scores)
    assert table["reason"].tolist() == ["label_error", "", "", ""]
    assert table["score"].tolist() == [0.05, 0.7, 0.05, 0.05]
    assert table["evidence"].tolist() == [0.05, 1.0, 1.0, 1.0]
    assert table["suggested_label"].tolist() == [FEAR, -1, FEAR, FEAR]
    assert table["probability"].tolist() == [0.1] * 4


def test_strict_quarantines_all_label_issues(store: ArtifactStore) -> None:
    snapshot = snapshot_of(store, [Face("train", SAD, n) for n in range(3)])
    scores = scores_of(store, snapshot, [0.4, 0.4, 0.9], is_issue=[True, False, False])
    assert table_of(store, snapshot, STRICT, scores)["reason"].tolist() == ["label_error", "", ""]
    assert table_of(store, snapshot, BALANCED, scores)["reason"].tolist() == ["", "", ""]
    by_hand = CleaningConfig(max_label_error_quality=0.5)
    found = table_of(store, snapshot, by_hand, scores)["reason"]
    assert found.tolist() == ["label_error", "label_error", ""]


def test_scores_do_not_judge_what_a_person_has_labelled(store: ArtifactStore) -> None:
    """Such faces are those that models are unsure of."""
    faces = [Face("train", SAD, number) for number in range(4)]
    images = np.stack([picture(number) for number in range(4)])
    table = manifest_of(faces, images).assign(source=["hand", LABELLED_SOURCE] * 2)
    snapshot = write_snapshot(store, table, images, "ingest")
    scores = scores_of(store, snapshot, [0.01] * 2 + [0.9] * 2, face_score=[0.9] * 2 + [0.01] * 2)
    reasons = table_of(store, snapshot, scores=scores)["reason"]
    assert reasons.tolist() == ["label_error", "", "not_a_face", ""]


def test_votes_outweigh_the_face_score(store: ArtifactStore) -> None:
    faces = [
        Face("train", SAD, 1),
        Face("train", SAD, 2, votes={"sadness": 10}),
        Face("train", SAD, 3, votes={"nf": 8, "sadness": 2}),
        Face("validation", SAD, 4),
    ]
    snapshot = snapshot_of(store, faces)
    scores = scores_of(store, snapshot, [0.9] * 4, face_score=[0.01, 0.01, 0.99, 0.01])
    table = table_of(store, snapshot, scores=scores)
    assert table["reason"].tolist() == ["not_a_face", "", "not_a_face", ""]
    assert table["evidence"].tolist() == [0.01, 1.0, 0.2, 1.0]


def test_relabelling_needs_a_clear_vote_for_another_class(store: ArtifactStore) -> None:
    faces = [
        Face("train", SAD, 1, votes={"fear": 6, "sadness": 4}),
        Face("train", SAD, 2, votes={"fear": 5, "sadness": 5}),
        Face("train", SAD, 3, votes={"contempt": 9, "sadness": 1}),
        Face("validation", SAD, 4, votes={"fear": 10}),
        Face("train", SAD, 5),
    ]
    snapshot = snapshot_of(store, faces)
    table = table_of(store, snapshot, CleaningConfig(relabel_by_votes=True))
    assert table["action"].tolist() == ["relabel", "keep", "keep", "keep", "keep"]
    assert table["label_now"].tolist() == [FEAR, SAD, SAD, SAD, SAD]
    assert table["label"].tolist() == [SAD] * 5
    assert table.loc[0, "evidence"] == pytest.approx(0.4)
    assert (table_of(store, snapshot)["label_now"] == SAD).all()


def test_relabelling_resolves_conflicting_copies(store: ArtifactStore) -> None:
    votes = {"fear": 8, "happiness": 2}
    faces = [Face("train", HAPPY, 1, votes), Face("train", SAD, 1, votes)]
    table = table_of(store, snapshot_of(store, faces), CleaningConfig(relabel_by_votes=True))
    assert table["action"].tolist() == ["relabel", "quarantine"]
    assert table["label_now"].tolist() == [FEAR, SAD]
    assert table["reason"].tolist() == ["conflicting_label"] * 2


def test_people_override_the_rules(store: ArtifactStore) -> None:
    faces = [Face("train", SAD, n) for n in range(4)]
    snapshot = snapshot_of(store, [*faces, Face("validation", SAD, 9)])
    scores = scores_of(store, snapshot, [0.01, 0.01, 0.9, 0.9, 0.9])
    decisions = published(
        store,
        "hand/000000,keep,",
        "hand/000001,relabel,happy",
        "hand/000002,drop,",
        "hand/000004,drop,",
    )
    table = table_of(store, snapshot, scores=scores, decisions=decisions)
    assert table["action"].tolist() == ["keep", "relabel", "quarantine", "keep", "quarantine"]
    assert table["reason"].tolist() == ["by_person", "by_person", "by_person", "", "by_person"]
    assert table["label_now"].tolist() == [SAD, HAPPY, SAD, SAD, SAD]


def test_dropping_an_image_drops_its_exact_copies(store: ArtifactStore) -> None:
    faces = [Face("train", SAD, 1), Face("train", SAD, 1), Face("test", FEAR, 1)]
    table = table_of(
        store, snapshot_of(store, faces), decisions=published(store, "hand/000000,drop,")
    )
    assert table["reason"].tolist() == ["by_person", "by_person", ""]


def test_people_cannot_keep_a_leak(store: ArtifactStore) -> None:
    faces = [Face("train", SAD, 1), Face("test", SAD, 1)]
    table = table_of(
        store, snapshot_of(store, faces), decisions=published(store, "hand/000000,keep,")
    )
    assert table["reason"].tolist() == ["leak", ""]
    assert table["related_id"].tolist() == ["hand/000001", ""]


def test_a_person_resolves_conflicting_copies(store: ArtifactStore) -> None:
    faces = [Face("train", HAPPY, 1), Face("train", SAD, 1), Face("train", SAD, 1)]
    snapshot = snapshot_of(store, faces)
    kept = table_of(store, snapshot, decisions=published(store, "hand/000000,keep,"))
    assert kept["action"].tolist() == ["keep", "quarantine", "quarantine"]
    assert kept["reason"].tolist() == ["by_person", "conflicting_label", "conflicting_label"]


@pytest.mark.parametrize("decision", ["keep,", "relabel,sad"])
def test_a_decision_is_kept_although_the_image_has_a_copy(
    store: ArtifactStore, decision: str
) -> None:
    snapshot = snapshot_of(store, [Face("train", SAD, 1), Face("train", SAD, 1)])
    scores = scores_of(store, snapshot, [0.05, 0.05])
    decisions = published(store, f"hand/000001,{decision}")
    table = table_of(store, snapshot, scores=scores, decisions=decisions)
    assert table["reason"].tolist() == ["exact_duplicate", "by_person"]
    assert table["related_id"].tolist() == ["hand/000001", ""]


def test_a_decision_is_kept_although_a_copy_of_conflicting_ones_has_its_label(
    store: ArtifactStore,
) -> None:
    faces = [Face("train", SAD, 1), Face("train", HAPPY, 1), Face("train", SAD, 1)]
    snapshot = snapshot_of(store, faces)
    scores = scores_of(store, snapshot, [0.05, 0.9, 0.05])
    decisions = published(store, "hand/000002,keep,")
    table = table_of(store, snapshot, scores=scores, decisions=decisions)
    assert table["reason"].tolist() == ["exact_duplicate", "conflicting_label", "by_person"]


@pytest.mark.parametrize("labels", [(SAD,), (SAD, HAPPY)])
def test_an_unlabelled_copy_that_a_person_keeps_stays(
    store: ArtifactStore, labels: tuple[Expression, ...]
) -> None:
    faces = [Face("train", UNLABELLED, 1), *(Face("train", label, 1) for label in labels)]
    decisions = published(store, "hand/000000,keep,")
    table = table_of(store, snapshot_of(store, faces), decisions=decisions)
    assert table.loc[0, "reason"] == "by_person"


def test_decisions_about_test_images_are_rejected_without_output(
    store: ArtifactStore,
) -> None:
    snapshot = snapshot_of(store, [Face("train", SAD, 1), Face("test", SAD, 2)])
    before = store.list_ids(SnapshotRef)
    decisions = published(store, "hand/000001,drop,")
    with pytest.raises(DataError, match="test"):
        clean_snapshot(store, snapshot, BALANCED, None, decisions)
    assert store.list_ids(SnapshotRef) == before


def test_decisions_without_a_matching_image_are_counted(store: ArtifactStore) -> None:
    snapshot = snapshot_of(store, [Face("train", SAD, 1)])
    decisions = published(store, "hand/000000,drop,", "elsewhere/000007,drop,")
    info = store.info(clean_snapshot(store, snapshot, BALANCED, None, decisions))
    assert (info["people_decided"], info["people_unmatched"]) == (1, 1)


def test_scores_of_other_images_are_rejected(store: ArtifactStore) -> None:
    scores = scores_of(store, snapshot_of(store, [Face("train", SAD, 1)]), [0.5])
    other = snapshot_of(store, [Face("train", SAD, n) for n in range(2)])
    with pytest.raises(DataError, match="holds other images"):
        clean_snapshot(store, other, BALANCED, scores)


def test_same_decisions_give_the_same_snapshot_again(store: ArtifactStore) -> None:
    faces = [Face("train", SAD, n) for n in range(3)]
    snapshot = snapshot_of(store, faces)
    scores = scores_of(store, snapshot, [0.01, 0.9, np.float64(1 / 3)])
    decisions = published(store, "hand/000000,relabel,happy", "hand/000001,drop,")
    once = clean_snapshot(store, snapshot, BALANCED, scores, decisions)
    assert clean_snapshot(store, once, BALANCED, scores, decisions).id == once.id
