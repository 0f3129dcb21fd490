"""The default limits decide, and each boundary falls on the documented side."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.image_similarity import similarity
from fer_models.dataset.snapshot import Images, open_snapshot, open_table
from fer_models.labels import Expression
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, picture, scores_of, snapshot_of
from validation.config import ValidationConfig

HAPPY, SAD, FEAR = Expression.HAPPY, Expression.SAD, Expression.FEAR
RELABELLING = CleaningConfig(relabel_by_votes=True)


def cleaned(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    config: CleaningConfig,
    scores: ScoresRef | None = None,
) -> pd.DataFrame:
    result = clean_snapshot(store, snapshot, config, scores)
    manifest = open_snapshot(store, result).manifest
    return open_table(store, result, "decisions").assign(label_now=manifest["label"])


def training_faces(votes: Sequence[Mapping[str, int]], label: int = SAD) -> list[Face]:
    return [Face("train", label, number, row) for number, row in enumerate(votes)]


def image_of_std(std: float) -> Images:
    """Two grey values, half of the pixels each; the difference is a whole number."""
    image = np.full((48, 48), 100, dtype=np.uint8)
    image[:24] += np.uint8(2 * std)
    assert image.std() == std
    return image


@pytest.mark.parametrize(("policy", "limit"), [("balanced", 0.45), ("strict", 0.5)])
def test_images_below_the_face_score_of_the_policy_are_non_faces(
    store: ArtifactStore, policy: str, limit: float
) -> None:
    snapshot = snapshot_of(store, training_faces([{}] * 3))
    face_score = [limit - 0.0001, limit, limit + 0.0001]
    scores = scores_of(store, snapshot, [0.9] * 3, face_score=face_score)
    table = cleaned(store, snapshot, CleaningConfig(policy=policy), scores)
    assert table["reason"].tolist() == ["not_a_face", "", ""]
    field = CleaningConfig.model_fields["min_face_score"]
    assert f"{limit:g} ({policy})" in str(field.description)


@pytest.mark.parametrize(("policy", "limit"), [("balanced", 0.2), ("strict", 0.3)])
def test_labels_up_to_the_quality_of_the_policy_are_errors(
    store: ArtifactStore, policy: str, limit: float
) -> None:
    snapshot = snapshot_of(store, training_faces([{}] * 3))
    scores = scores_of(store, snapshot, [limit - 0.0001, limit, limit + 0.0001])
    table = cleaned(store, snapshot, CleaningConfig(policy=policy), scores)
    assert table["reason"].tolist() == ["label_error", "label_error", ""]


def test_a_label_at_even_odds_gets_no_suggestion(store: ArtifactStore) -> None:
    snapshot = snapshot_of(store, training_faces([{}] * 2))
    table = cleaned(store, snapshot, CleaningConfig(), scores_of(store, snapshot, [0.4999, 0.5]))
    assert table["suggested_label"].tolist() == [FEAR, -1]


def test_an_image_of_exactly_the_blank_threshold_is_kept(store: ArtifactStore) -> None:
    images = np.stack([image_of_std(1.5), image_of_std(2.0), image_of_std(2.5)])
    snapshot = snapshot_of(store, training_faces([{}] * 3), images)
    # Another rule: the three images are near duplicates of each other.
    reasons = cleaned(store, snapshot, CleaningConfig())["reason"]
    assert (reasons == "blank").tolist() == [True, False, False]


def test_the_data_gate_uses_the_same_blank_threshold() -> None:
    assert CleaningConfig().min_std == ValidationConfig().min_std == 2.0


def test_votes_at_the_minimum_make_a_non_face(store: ArtifactStore) -> None:
    votes = [{"nf": count, "sadness": 10 - count} for count in (4, 5, 6)]
    snapshot = snapshot_of(store, training_faces(votes))
    table = cleaned(store, snapshot, CleaningConfig())
    assert table["reason"].tolist() == ["", "not_a_face", "not_a_face"]


def test_votes_at_the_minimum_relabel(store: ArtifactStore) -> None:
    votes = [{"fear": count, "sadness": 10 - count} for count in (5, 6, 7)]
    snapshot = snapshot_of(store, training_faces(votes))
    table = cleaned(store, snapshot, RELABELLING)
    assert table["label_now"].tolist() == [SAD, FEAR, FEAR]


def test_two_classes_with_equally_many_votes_never_relabel(store: ArtifactStore) -> None:
    votes = [
        {"fear": 5, "happiness": 5},
        {"happiness": 4, "fear": 4, "sadness": 2},
        {"fear": 5, "happiness": 4, "sadness": 1},
    ]
    config = CleaningConfig(relabel_by_votes=True, min_relabel_votes=4)
    table = cleaned(store, snapshot_of(store, training_faces(votes)), config)
    assert table["label_now"].tolist() == [SAD, SAD, FEAR]
    assert table["action"].tolist() == ["keep", "keep", "relabel"]


@pytest.mark.parametrize(("fear_votes", "is_relabelled"), [(5, False), (6, True)])
def test_votes_at_the_minimum_relabel_conflicting_copies(
    store: ArtifactStore, fear_votes: int, is_relabelled: bool
) -> None:
    votes = {"fear": fear_votes, "contempt": 10 - fear_votes - 1, "disgust": 1}
    faces = [Face("train", HAPPY, 1, votes), Face("train", SAD, 1, votes)]
    table = cleaned(store, snapshot_of(store, faces), RELABELLING)
    assert table["reason"].tolist() == ["conflicting_label"] * 2
    assert (table["action"][0] == "relabel") == is_relabelled
    assert (table["label_now"][0] == FEAR) == is_relabelled


def test_a_pair_of_exactly_the_minimum_similarity_is_a_near_duplicate(
    store: ArtifactStore,
) -> None:
    noise = np.random.default_rng(0).integers(-40, 41, size=(48, 48))
    noisy = np.clip(picture(1) + noise, 0, 255).astype(np.uint8)
    images = np.stack([picture(1), noisy])
    [exact] = similarity(images[:1], images[1:])
    assert 0.8 < exact < 0.999
    snapshot = snapshot_of(store, training_faces([{}] * 2), images)
    for limit, reason in ((exact, "near_duplicate"), (np.nextafter(exact, 1), "")):
        config = CleaningConfig(near_duplicate_min_similarity=float(limit))
        assert cleaned(store, snapshot, config)["reason"].tolist() == ["", reason]


@pytest.mark.parametrize(("noise", "reason"), [(30, "near_duplicate"), (80, "")])
def test_the_default_similarity_decides(store: ArtifactStore, noise: int, reason: str) -> None:
    added = np.random.default_rng(0).integers(-noise, noise + 1, size=(48, 48))
    noisy = np.clip(picture(1) + added, 0, 255).astype(np.uint8)
    images = np.stack([picture(1), noisy])
    [value] = similarity(images[:1], images[1:])
    assert (value >= 0.95) == (reason != "")
    snapshot = snapshot_of(store, training_faces([{}] * 2), images)
    assert cleaned(store, snapshot, CleaningConfig())["reason"].tolist() == ["", reason]
