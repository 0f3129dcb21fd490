"""The promotion gate."""

from typing import Any

import numpy as np
import pytest

from fer_models.dataset.snapshot import (
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.predictions import read_predictions
from fer_models.labels import CLASS_NAMES, NUM_CLASSES
from fer_models.promotion import promote
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import decision_basis, promote_candidate
from fer_models.storage.log import LostRaceError
from fer_models.storage.refs import ModelRef, PromotionRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, build_validation

CONFIG = PromotionConfig()


def _decision(store: ArtifactStore, promotion: PromotionRef) -> Any:
    return store.read_json(promotion, "decision.json")


def _current(store: ArtifactStore) -> str | None:
    entry = Registry(store).current(CHAMPION)
    return entry.model_id if entry else None


def test_first_good_candidate_becomes_champion(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    model = build_model(store, snapshot)
    promotion = promote_candidate(store, snapshot, model, CONFIG)
    assert promotion.promoted
    assert promotion.champion_id is None
    assert _current(store) == model.id
    details = Registry(store).current(CHAMPION).details
    assert details == {
        "decision": promotion.id,
        "snapshot_id": snapshot.id,
        "classes": list(CLASS_NAMES),
    }
    decision = _decision(store, promotion)
    assert decision["n"] == len(open_snapshot(store, snapshot).positions("validation"))
    low, high = decision["candidate_accuracy_low"], decision["candidate_accuracy_high"]
    assert low < decision["candidate_accuracy"] < high


def test_first_candidate_below_the_minimum_is_rejected(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    model = build_model(store, snapshot, skill=-5.0)
    promotion = promote_candidate(store, snapshot, model, CONFIG)
    assert not promotion.promoted
    assert "below min_accuracy 30 %" in promotion.reason
    assert _current(store) is None


def test_better_candidate_replaces_the_champion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    better = build_model(store, snapshot, "better", 3.0, 2)
    promotion = promote_candidate(store, snapshot, better, CONFIG)
    assert promotion.promoted
    assert promotion.champion_id == champion.id
    assert _current(store) == better.id
    comparison = _decision(store, promotion)["comparison"]
    assert comparison["candidate_accuracy"] > comparison["champion_accuracy"]
    assert 0 <= comparison["p_value"] <= 1


def test_worse_candidate_leaves_the_champion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    worse = build_model(store, snapshot, "worse", 1.2, 2)
    promotion = promote_candidate(store, snapshot, worse, CONFIG)
    assert not promotion.promoted
    assert "worse than the champion" in promotion.reason
    assert _current(store) == champion.id


def test_an_equal_candidate_of_the_same_data_leaves_the_champion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    twin = build_model(store, snapshot, "champion", 2.0, 1, identity="twin")
    assert twin.id != champion.id
    promotion = promote_candidate(store, snapshot, twin, CONFIG)
    assert not promotion.promoted
    assert "not distinguishable from the champion" in promotion.reason
    assert "trained on the same data" in promotion.reason
    assert _current(store) == champion.id


def test_an_equal_candidate_with_fewer_parameters_is_promoted(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    small = build_model(store, snapshot, "champion", 2.0, 1, 400_000, identity="small")
    promotion = promote_candidate(store, snapshot, small, PromotionConfig(cost="parameters"))
    assert promotion.promoted
    assert "4 times cheaper (400 k parameters against 1.6 M)" in promotion.reason


def test_the_decision_holds_every_criterion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    other = build_model(store, snapshot, "other", 2.1, 2)
    decision = _decision(store, promote_candidate(store, snapshot, other, CONFIG))
    assert [criterion["name"] for criterion in decision["criteria"]] == [
        "accuracy",
        "class floor",
        "calibration",
        "data gate",
        "not worse",
        "worth a change",
        "better",
        "cheaper",
        "newer data",
        "class loss",
        "slice loss",
    ]
    assert {criterion["outcome"] for criterion in decision["criteria"]} <= {
        "passed",
        "failed",
        "not judged",
    }
    assert decision["settings"] == CONFIG.model_dump()
    assert decision["compared_with"] == champion.id


def test_data_that_the_gate_rejected_are_no_base_for_a_champion(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    opened = open_snapshot(store, snapshot)
    split = write_snapshot(store, opened.manifest, opened.images, "split", snapshot)
    model = build_model(store, split)
    rejected = build_validation(store, snapshot, failed=2)
    refused = promote_candidate(store, split, model, CONFIG, validation=rejected)
    assert not refused.promoted
    assert "the data gate rejected the data: 2 errors" in refused.reason
    elsewhere = build_validation(store, build_snapshot(store, 140, seed=3), failed=2)
    assert promote_candidate(store, split, model, CONFIG, validation=elsewhere).promoted


def test_a_slice_that_gets_much_worse_keeps_the_champion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    """Better on the whole, but blind to the darkest faces."""
    opened = open_snapshot(store, snapshot)
    rows = opened.positions("validation")
    labels = opened.labels(rows)
    brightness = opened.images[rows].mean(axis=(1, 2))
    dark = brightness <= np.quantile(brightness, 0.25)
    probs = np.full((len(rows), NUM_CLASSES), 0.02)
    probs[np.arange(len(rows)), np.where(dark, (labels + 1) % NUM_CLASSES, labels)] = 0.88
    test = np.full((len(opened.positions("test")), NUM_CLASSES), 1 / NUM_CLASSES)
    model = build_model(store, snapshot, "blind", probabilities={"validation": probs, "test": test})
    config = PromotionConfig(max_class_loss=1.0, max_calibration_error=1.0)
    decision = _decision(store, promote_candidate(store, snapshot, model, config))
    criteria = {criterion["name"]: criterion for criterion in decision["criteria"]}
    assert not decision["promoted"]
    assert criteria["better"]["outcome"] == "passed"
    assert criteria["slice loss"]["outcome"] == "failed"
    assert "lost by slice: brightness lowest quarter" in decision["reason"]


def test_a_damaged_champion_is_replaced_by_a_candidate_that_is_good_enough(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    store.write_bytes(f"models/{champion.id}/probabilities.npz", b"lost")
    worse = build_model(store, snapshot, "worse", 1.6, 2)
    promotion = promote_candidate(store, snapshot, worse, CONFIG)
    assert promotion.promoted
    assert f"the champion's artifact {champion.id} is damaged" in promotion.reason
    assert promotion.champion_id == champion.id


def test_a_store_that_fails_says_nothing_about_the_champion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = build_model(store, snapshot, "worse", 1.6, 2)
    fetch = ArtifactStore.fetch

    def unreachable(self: ArtifactStore, ref: Any, name: str) -> Any:
        if ref.id == champion.id:
            raise StoreError("the bucket can't be used") from TimeoutError()
        return fetch(self, ref, name)

    monkeypatch.setattr(ArtifactStore, "fetch", unreachable)
    with pytest.raises(StoreError, match="can't be used"):
        promote_candidate(store, snapshot, worse, CONFIG)
    assert _current(store) == champion.id


def test_the_model_that_was_selected_is_compared(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    """A champion that was also trained on validation images knows their labels."""
    final = build_model(store, snapshot, "final", 9.0, 3)
    details = {"selection_model_id": champion.id}
    Registry(store).set(CHAMPION, final.id, "trained on all data", details)
    better = build_model(store, snapshot, "better", 3.0, 2)
    again = promote_candidate(store, snapshot, champion, CONFIG)
    assert again.reason == (
        "the candidate is the champion already (by hand: trained on all data); criteria not judged"
    )
    promotion = promote_candidate(store, snapshot, better, CONFIG)
    assert promotion.promoted
    assert promotion.champion_id == final.id
    assert _decision(store, promotion)["compared_with"] == champion.id


def test_promoting_the_champion_again_changes_nothing(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    better = build_model(store, snapshot, "better", 3.0, 2)
    first = promote_candidate(store, snapshot, better, CONFIG)
    entries = len(Registry(store).history())
    strict = PromotionConfig(min_accuracy=1.0)
    assert promote_candidate(store, snapshot, better, strict) == first
    assert (first.judged, first.verdict) == (True, "promoted to champion")
    assert len(Registry(store).history()) == entries


def test_champion_set_by_hand_is_confirmed(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    other = build_model(store, snapshot, "other", 0.0, 5)
    Registry(store).set(CHAMPION, other.id, "rolled back by a person")
    first = promote_candidate(store, snapshot, other, CONFIG)
    assert first.promoted
    assert first.reason == (
        "the candidate is the champion already (by hand: rolled back by a person); criteria not "
        "judged"
    )
    assert (first.judged, first.verdict) == (False, "champion already")
    assert store.info(first)["judged"] is False
    assert first.champion_id == champion.id
    assert promote_candidate(store, snapshot, other, CONFIG) == first


def test_decision_basis_is_the_same_before_and_after_the_promotion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    better = build_model(store, snapshot, "better", 3.0, 2)
    before = decision_basis(store, snapshot, better.id)
    assert before == "1"
    promote_candidate(store, snapshot, better, CONFIG)
    assert decision_basis(store, snapshot, better.id) == before
    assert decision_basis(store, snapshot, "someone-else") == "2"
    Registry(store).set(CHAMPION, champion.id, "rolled back by a person")
    assert decision_basis(store, snapshot, better.id) == "3"


def test_decision_basis_without_a_champion(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    model = build_model(store, snapshot)
    assert decision_basis(store, snapshot, model.id) == "none"
    promote_candidate(store, snapshot, model, CONFIG)
    assert decision_basis(store, snapshot, model.id) == "none"


def test_decision_is_written_before_the_registry(
    store: ArtifactStore, snapshot: SnapshotRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_model(store, snapshot)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise StoreError("the store went away")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set", fail)
        with pytest.raises(StoreError, match="went away"):
            promote_candidate(store, snapshot, model, CONFIG)
    (kept,) = store.list_ids(PromotionRef)
    assert promote_candidate(store, snapshot, model, CONFIG).id == kept
    assert _current(store) == model.id


def test_a_champion_that_changed_during_the_comparison_stays(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = build_model(store, snapshot, "better", 3.0, 2)
    other = build_model(store, snapshot, "other", 2.5, 3)
    write = promote._write_decision

    def overtaken(store: ArtifactStore, decision: dict[str, Any]) -> PromotionRef:
        Registry(store).set(CHAMPION, other.id, "another run")
        return write(store, decision)

    monkeypatch.setattr(promote, "_write_decision", overtaken)
    with pytest.raises(StoreError, match="another run changed the champion"):
        promote_candidate(store, snapshot, better, CONFIG)
    assert _current(store) == other.id


def test_a_promotion_just_before_ours_is_not_overwritten(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = build_model(store, snapshot, "better", 3.0, 2)
    rival = build_model(store, snapshot, "rival", 2.5, 3)
    set_alias = Registry.set

    def overtaken(registry: Registry, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(Registry, "set", set_alias)
        set_alias(Registry(store), CHAMPION, rival.id, "another run")
        return set_alias(registry, *args, **kwargs)

    monkeypatch.setattr(Registry, "set", overtaken)
    with pytest.raises(LostRaceError, match="another run changed the champion"):
        promote_candidate(store, snapshot, better, CONFIG)
    assert [e.model_id for e in Registry(store).history()] == [champion.id, rival.id]

    again = promote_candidate(store, snapshot, better, CONFIG)
    assert (again.champion_id, _current(store)) == (rival.id, better.id)


def test_a_snapshot_without_validation_images_is_rejected(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, fractions=(0.7, 0.0, 0.3))
    with pytest.raises(DataError, match="no validation images"):
        promote_candidate(store, snapshot, build_model(store, snapshot), CONFIG)


class TestChampionOfAnotherSnapshot:
    """It predicts the current validation images, except those it was trained on."""

    @pytest.fixture
    def newer(self, store: ArtifactStore) -> SnapshotRef:
        """The same images in another split."""
        return build_snapshot(store, 560, fractions=(0.3, 0.5, 0.2), step="again")

    @pytest.fixture
    def seen(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The champion always predicts `happy`; records its models and images."""
        from fer_models.training import predict

        calls = []

        def predict_model(store: ArtifactStore, model: ModelRef, images: Any) -> Any:
            calls.append((model, images))
            probs = np.full((len(images), NUM_CLASSES), 0.05, dtype=np.float32)
            probs[:, 3] = 0.7
            return probs

        monkeypatch.setattr(predict, "predict_model", predict_model)
        return calls

    def test_it_predicts_the_validation_images(
        self, store: ArtifactStore, champion: ModelRef, newer: SnapshotRef, seen: list[Any]
    ) -> None:
        candidate = build_model(store, newer, "candidate", 2.5, 7)
        promotion = promote_candidate(store, newer, candidate, CONFIG)
        ((model, images),) = seen
        opened = open_snapshot(store, newer)
        assert model == champion
        np.testing.assert_array_equal(images, opened.images[opened.positions("validation")])
        assert promotion.promoted
        assert promotion.champion_id == champion.id

    @pytest.mark.usefixtures("champion", "seen")
    def test_its_training_images_are_excluded(
        self, store: ArtifactStore, snapshot: SnapshotRef, newer: SnapshotRef
    ) -> None:
        decision = _decision(
            store,
            promote_candidate(store, newer, build_model(store, newer, "candidate", 2.5, 7), CONFIG),
        )
        old, new = open_snapshot(store, snapshot), open_snapshot(store, newer)
        trained = set(old.image_ids(old.positions("train")))
        fresh = [i for i in new.image_ids(new.positions("validation")) if i not in trained]
        assert decision["comparison"]["n"] == len(fresh) < decision["n"]
        assert decision["images_left_out"] == decision["n"] - len(fresh)

    @pytest.mark.usefixtures("champion", "seen")
    def test_near_copies_of_its_training_images_are_excluded(
        self, store: ArtifactStore, snapshot: SnapshotRef
    ) -> None:
        """Also of those that the current snapshot does not have any more."""
        old = open_snapshot(store, snapshot)
        train = old.positions("train")[:20]
        newer = open_snapshot(store, build_snapshot(store, 560, seed=9))
        images = newer.images.copy()
        copied = newer.positions("validation")[:20]
        images[copied] = np.clip(old.images[train].astype(int) + 25, 0, 255).astype(np.uint8)
        manifest = newer.manifest.copy()
        manifest["pixel_sha256"] = pixel_sha256(images)
        manifest["duplicate_group"] = first_of_group(manifest["pixel_sha256"])
        current = write_snapshot(store, manifest, images, "split")
        candidate = build_model(store, current, "candidate", 2.5, 7)
        decision = _decision(store, promote_candidate(store, current, candidate, CONFIG))
        assert decision["images_left_out"] == 20
        assert decision["comparison"]["n"] == decision["n"] - 20

    @pytest.mark.usefixtures("champion")
    def test_an_equal_candidate_of_newer_data_is_promoted(
        self, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from fer_models.training import predict

        newer = build_snapshot(store, 1000, fractions=(0.3, 0.5, 0.2), seed=8)
        candidate = build_model(store, newer, "candidate", 2.5, 7)
        same = read_predictions(store, open_snapshot(store, newer), candidate)["validation"]
        monkeypatch.setattr(predict, "predict_model", lambda *_: same.probs_NK)
        kept = promote_candidate(store, newer, candidate, PromotionConfig(prefer_newer=False))
        assert not kept.promoted
        promotion = promote_candidate(store, newer, candidate, CONFIG)
        assert promotion.promoted
        assert "trained on newer data (994 added, 554 removed" in promotion.reason

    @pytest.mark.usefixtures("champion", "seen")
    def test_all_images_count_when_too_few_are_new(
        self, store: ArtifactStore, snapshot: SnapshotRef
    ) -> None:
        opened = open_snapshot(store, snapshot)
        small = build_snapshot(store, 70, fractions=(0.2, 0.6, 0.2), step="small")
        decision = _decision(
            store,
            promote_candidate(store, small, build_model(store, small, "c", 2.5, 7), CONFIG),
        )
        assert len(opened.positions("validation"))
        assert decision["images_left_out"] == 0
        assert decision["comparison"]["n"] == decision["n"]
