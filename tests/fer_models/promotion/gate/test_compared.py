"""Images that flatter one model only: left out of the comparison, or named in the decision."""

from typing import Any

import numpy as np
import pytest

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.evaluation.cross_fitted import CROSS_FITTED_FILE, read_comparable
from fer_models.evaluation.predictions import read_predictions
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.collect import collect_evidence
from fer_models.promotion.gate.decide import decide
from fer_models.promotion.gate.evidence import ChampionEvidence, Evidence
from fer_models.promotion.promote import promote_candidate
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training import predict
from tests.fer_models.builders import build_model, build_snapshot, draw_probabilities
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.lineages import brightened, moved, with_lineage

CONFIG = PromotionConfig()


@pytest.fixture
def snapshot(store: ArtifactStore) -> DatasetSnapshot:
    return open_snapshot(store, build_snapshot(store, 560, fractions=(0.5, 0.3, 0.2), num_leaks=0))


def judged(
    store: ArtifactStore, snapshot: DatasetSnapshot, candidate: ModelRef, champion: ModelRef
) -> tuple[Evidence, ChampionEvidence]:
    entry = Registry(store).set(CHAMPION, champion.id, "by a test")
    evidence = collect_evidence(store, snapshot, candidate, entry)
    assert evidence.champion is not None
    return evidence, evidence.champion


def learned_by(store: ArtifactStore, snapshot: DatasetSnapshot, number: int) -> SnapshotRef:
    """The same images, of which the first validation images are in the training split."""
    return moved(store, snapshot, snapshot.positions("validation")[:number], "train")


@pytest.mark.parametrize("side", ["candidate", "champion"])
def test_images_that_weights_learned_in_an_earlier_training_are_left_out(
    store: ArtifactStore, snapshot: DatasetSnapshot, side: str
) -> None:
    origin = build_model(store, learned_by(store, snapshot, 30), "origin")
    other = build_model(store, snapshot.ref, "other")
    warm = with_lineage(store, build_model(store, snapshot.ref, "warm"), initial=origin.id)
    candidate, champion = (warm, other) if side == "candidate" else (other, warm)
    evidence, found = judged(store, snapshot, candidate, champion)
    np.testing.assert_array_equal(np.flatnonzero(~found.compared_N), np.arange(30))
    note = f"{warm.id} was trained on 30 of the {len(found.compared_N)} validation images, so its"
    assert any(text.startswith(note) for text in evidence.all_notes) == (side == "candidate")


def test_a_network_that_started_from_a_final_fit_knows_the_validation_images(
    store: ArtifactStore, snapshot: DatasetSnapshot
) -> None:
    base = build_model(store, snapshot.ref, "base")
    final = build_final_fit(store, base)
    knowing = with_lineage(store, build_model(store, snapshot.ref, "knowing"), initial=final.id)
    entry = Registry(store).set(CHAMPION, base.id, "by a test")
    decision = decide(collect_evidence(store, snapshot, knowing, entry), CONFIG)
    assert not decision.promoted
    number = len(snapshot.positions("validation"))
    assert f"the candidate was trained on all {number} validation images" in decision.reason
    assert store.exists(promote_candidate(store, snapshot.ref, knowing, CONFIG))


def test_a_first_champion_that_knows_validation_images_is_said_to(
    store: ArtifactStore, snapshot: DatasetSnapshot
) -> None:
    plain = build_model(store, snapshot.ref)
    assert collect_evidence(store, snapshot, plain, None).all_notes == ()
    learned = learned_by(store, snapshot, 30)
    imported = with_lineage(store, plain, imported={"snapshot_id": learned.id})
    promotion = promote_candidate(store, snapshot.ref, imported, CONFIG)
    note = f"{imported.id} was trained on 30 of the"
    assert f"; {note}" in promotion.reason
    assert store.read_json(promotion, "decision.json")["notes"][0].startswith(note)


@pytest.mark.parametrize("side", ["candidate", "champion"])
def test_training_images_that_are_not_known_are_named(
    store: ArtifactStore, snapshot: DatasetSnapshot, side: str
) -> None:
    other = build_model(store, snapshot.ref, "other")
    unknown = with_lineage(
        store, build_model(store, snapshot.ref, "it"), imported={"snapshot_id": "elsewhere"}
    )
    pair = (unknown, other) if side == "candidate" else (other, unknown)
    evidence, _ = judged(store, snapshot, *pair)
    (note,) = evidence.all_notes
    assert note == (
        f"{unknown.id} was trained on snapshot elsewhere, which is not in the store, so it may "
        "have learned from validation images"
    )


def test_with_few_new_images_the_champions_are_compared_and_named_but_not_the_candidates(
    store: ArtifactStore, snapshot: DatasetSnapshot
) -> None:
    number = len(snapshot.positions("validation"))
    learned = learned_by(store, snapshot, number - 20)
    other = build_model(store, snapshot.ref, "other")
    knowing = with_lineage(
        store, build_model(store, snapshot.ref, "it"), imported={"snapshot_id": learned.id}
    )
    _, found = judged(store, snapshot, other, knowing)
    assert found.compared_N.all()
    assert f"only 20 of the {number} validation images are new to both models" in found.notes[0]
    _, found = judged(store, snapshot, knowing, other)
    assert found.compared_N.sum() == 20


def test_a_model_that_was_imported_was_not_trained_on_newer_data(
    store: ArtifactStore, snapshot: DatasetSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = build_snapshot(store, 560, seed=5)
    champion = build_model(store, earlier, "champion")
    plain = build_model(store, snapshot.ref)
    imported = with_lineage(store, plain, imported={"snapshot_id": earlier.id})
    predict_as(store, snapshot, monkeypatch)
    _, found = judged(store, snapshot, imported, champion)
    assert (found.newer().changed, found.newer().text) == (False, "trained on the same data")
    _, found = judged(store, snapshot, plain, champion)
    assert found.newer().changed
    unknown = with_lineage(store, plain, imported={"snapshot_id": "elsewhere"})
    _, found = judged(store, snapshot, unknown, champion)
    assert found.newer().text == "the candidate's data is not in the store"


def predict_as(
    store: ArtifactStore, snapshot: DatasetSnapshot, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A champion of another snapshot predicts the validation images like this; N x 7."""
    labels = snapshot.labels(snapshot.positions("validation"))
    probs_NK = draw_probabilities(labels, 2.0, 77)
    monkeypatch.setattr(predict, "predict_model", lambda *_: probs_NK)
    return probs_NK


class TestEnsembleOfAnotherSnapshot:
    """Its rule was fitted to the validation images of its own snapshot."""

    @pytest.fixture
    def stacking(self, store: ArtifactStore, snapshot: DatasetSnapshot) -> ModelRef:
        models = [build_model(store, snapshot.ref, f"m{i}", 1.5, 10 * i) for i in range(4)]
        methods = EnsembleConfig(methods=("stacking",))
        return ensemble_models(store, snapshot.ref, models, methods).ensembles[0]

    def answers(
        self, store: ArtifactStore, snapshot: DatasetSnapshot, stacking: ModelRef, kind: Any
    ) -> Any:
        return kind(store, snapshot, stacking, ("validation",))["validation"].correct

    def test_images_that_its_rule_was_fitted_to_are_judged_by_cross_fitted_predictions(
        self,
        store: ArtifactStore,
        snapshot: DatasetSnapshot,
        stacking: ModelRef,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Other data with the same validation images, as with official splits."""
        later = open_snapshot(store, moved(store, snapshot, snapshot.positions("train")[:9], ""))
        np.testing.assert_array_equal(
            later.positions("validation"), snapshot.positions("validation")
        )
        fitted = read_predictions(store, snapshot, stacking)["validation"].probs_NK
        monkeypatch.setattr(predict, "predict_model", lambda *_: fitted)
        candidate = build_model(store, later.ref, "candidate")
        _, found = judged(store, later, candidate, stacking)
        cross_fitted = self.answers(store, snapshot, stacking, read_comparable)
        labels = snapshot.labels(snapshot.positions("validation"))
        assert cross_fitted.mean() < (fitted.argmax(axis=1) == labels).mean() - 0.03
        np.testing.assert_array_equal(found.correct_N, cross_fitted)
        assert found.compared_N.all()
        assert found.notes == ()

    def test_near_copies_of_such_images_are_left_out(
        self,
        store: ArtifactStore,
        snapshot: DatasetSnapshot,
        stacking: ModelRef,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        copied = snapshot.positions("validation")[:11]
        later = brightened(store, snapshot, copied, "validation")
        predict_as(store, later, monkeypatch)
        candidate = build_model(store, later.ref, "candidate")
        _, found = judged(store, later, candidate, stacking)
        np.testing.assert_array_equal(np.flatnonzero(~found.compared_N), np.arange(11))

    def test_images_that_only_the_candidate_was_chosen_on_are_named(
        self,
        store: ArtifactStore,
        snapshot: DatasetSnapshot,
        stacking: ModelRef,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        new = snapshot.positions("test")[:25]
        later = open_snapshot(store, moved(store, snapshot, new, "validation"))
        predicted = predict_as(store, later, monkeypatch).argmax(axis=1)
        candidate = build_model(store, later.ref, "candidate")
        evidence, found = judged(store, later, candidate, stacking)
        number = len(found.compared_N)
        (note,) = found.notes
        assert note == (
            f"the candidate was chosen on {number} of these images, the champion on "
            f"{number - 25}, which favours the candidate a little"
        )
        is_new = np.isin(later.positions("validation"), new)
        correct = predicted == evidence.labels_N
        np.testing.assert_array_equal(found.correct_N[is_new], correct[is_new])

    def test_a_rule_without_cross_fitted_predictions_is_named(
        self, store: ArtifactStore, snapshot: DatasetSnapshot, stacking: ModelRef
    ) -> None:
        """Of an imported ensemble, or one of an earlier version."""
        described = store.describe(stacking)
        files = {name: one for name, one in described.files.items() if name != CROSS_FITTED_FILE}
        earlier = store.put(ModelRef, "earlier", {}, described.info, files, name="earlier")
        other = build_model(store, snapshot.ref, "other")
        note = "the rule of earlier was fitted to validation images, so its accuracy on them may"
        for pair in ((earlier, other), (other, earlier)):
            (found,) = judged(store, snapshot, *pair)[0].all_notes
            assert found.startswith(note)
        assert judged(store, snapshot, stacking, other)[0].all_notes == ()
