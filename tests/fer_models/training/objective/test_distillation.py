import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from fer_models.bundles.bundle import EnsembleBundle, load_any_bundle, load_bundle
from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, StoreError
from fer_models.progress import Progress, listening
from fer_models.storage.refs import ModelRef
from fer_models.training.checkpoint_dir import bundled_fingerprints, training_key
from fer_models.training.config import MemberConfig
from fer_models.training.inputs import batches as batches_module
from fer_models.training.inputs.batches import TrainBatches, as_float
from fer_models.training.inputs.data import TrainingData, final_data, training_data
from fer_models.training.objective import consistent as consistent_module
from fer_models.training.objective.consistent import ConsistentTeachers
from fer_models.training.objective.distillation import distill
from fer_models.training.objective.targets import training_targets
from fer_models.training.predict import load_network, predict_probabilities
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces

STUDENT = MEMBER.model_copy(update={"name": "student", "teachers": ("small",)})


def test_without_teachers_the_data_is_unchanged(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    assert distill(trained.store, data, STUDENT, ()) is data


def test_several_teachers_are_averaged(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    other = train_member(trained.store, trained.snapshot, MEMBER, 4, UNTRACKED)
    expected = []
    for teacher in (trained.model, other):
        network, preprocessing = load_network(trained.store, teacher)
        # Each image and its mirror image, averaged by hand.
        views = (data.train.images, np.ascontiguousarray(data.train.images[:, :, ::-1]))
        expected += [predict_probabilities(network, preprocessing, view) for view in views]
    probs_NK = distill(trained.store, data, STUDENT, (trained.model, other)).train.teacher_probs_NK
    assert probs_NK is not None
    np.testing.assert_allclose(probs_NK, np.mean(expected, axis=0), atol=1e-5)


def test_a_teacher_with_other_classes_is_refused(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    names = [*reversed(data.classes.names)]
    train = replace(data.train, classes=ClassList.named(names))
    data_in_other_order = replace(data, train=train)
    with pytest.raises(ConfigError, match=f"teacher {trained.model.id}: expected the classes"):
        distill(trained.store, data_in_other_order, STUDENT, (trained.model,))


def test_a_teacher_of_another_snapshot_is_refused_before_the_training(trained: Trained) -> None:
    other = write_faces(trained.store, voted=True)
    with pytest.raises(ConfigError) as caught:
        train_member(trained.store, other, STUDENT, 3, UNTRACKED, (trained.model,))
    [problem] = caught.value.problems
    assert problem == f"{trained.model.id} was trained on {trained.snapshot.id[:12]}"


def test_a_student_gets_other_weights_and_names_its_teachers(trained: Trained) -> None:
    store, snapshot = trained.store, trained.snapshot
    alone = train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    student = train_member(store, snapshot, STUDENT, 3, UNTRACKED, (trained.model,))
    assert json.loads(store.read_file(student, "lineage.json"))["teachers"] == [trained.model.id]
    weights = [store.read_file(model, "weights.safetensors") for model in (alone, student)]
    assert weights[0] != weights[1]


def test_other_teachers_make_another_training(trained: Trained) -> None:
    other = trained.model.model_copy(update={"id": "small-000000000000"})
    keys = {
        training_key(trained.snapshot, STUDENT, 3, teachers)
        for teachers in ((), (trained.model,), (other,), (trained.model, other))
    }
    assert len(keys) == 4


def test_selected_images_keep_their_teacher_probabilities(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    train = replace(data.train, teacher_probs_NK=np.eye(7, dtype=np.float32)[data.train.labels])
    selected = train.at(np.array([5, 2]))
    targets = training_targets(selected, STUDENT.training)
    assert targets.argmax(1).tolist() == train.labels[[5, 2]].tolist()
    assert selected.nbytes == 2 * (48 * 48 + 8 + 10 * 4 + 7 * 4)


def test_a_missing_teacher_is_reported(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    gone = trained.store.ref(ModelRef, "gone", name="gone")
    with pytest.raises(StoreError, match="gone"):
        distill(trained.store, data, STUDENT, (gone,))


SHIPPED = STUDENT.model_copy(update={"teachers": ("bundled:face_cnn",)})


def consistent(copies: int, **augment: float) -> MemberConfig:
    settings = {"consistent_teachers": True, "teacher_copies": copies, "teacher_weight": 1.0}
    augmentation = STUDENT.training.augment.model_copy(update=augment)
    training = STUDENT.training.model_copy(update={**settings, "augment": augmentation})
    return STUDENT.model_copy(update={"training": training})


def batches_of(
    trained: Trained, member: MemberConfig, epoch: int, data: TrainingData | None = None
) -> list[torch.Tensor]:
    """Inputs and targets of an epoch, one after the other."""
    data = data or training_data(open_snapshot(trained.store, trained.snapshot))
    data = distill(trained.store, data, member, (trained.model,))
    device = torch.device("cpu")
    batches = TrainBatches(
        data.train,
        load_network(trained.store, trained.model)[1],
        training_targets(data.train, member.training),
        config=member.training,
        seed=0,
        epoch=lambda: epoch,
        device=device,
        teaching=ConsistentTeachers(data.teachers, member.training, device),
    )
    return [tensor for batch in batches for tensor in batch]


def taught_by_hand(trained: Trained, inputs: torch.Tensor) -> torch.Tensor:
    network, _ = load_network(trained.store, trained.model)
    with torch.inference_mode():
        views = [network(view).softmax(1) for view in (inputs, inputs.flip(-1))]
    return torch.stack(views).mean(0)


@pytest.mark.parametrize("copies", [0, 2])
def test_consistent_teachers_predict_what_the_student_sees(trained: Trained, copies: int) -> None:
    member = consistent(copies, flip=True)
    inputs, targets = batches_of(trained, member, epoch=1)[:2]
    # The training's precision is bfloat16 where there is any.
    torch.testing.assert_close(targets, taught_by_hand(trained, inputs), atol=0.03, rtol=0)
    others = targets[torch.arange(len(targets)).roll(1)]
    assert functional.l1_loss(targets, taught_by_hand(trained, inputs)) < 0.3 * functional.l1_loss(
        targets, others
    )


def test_teachers_predict_mixed_images(trained: Trained) -> None:
    inputs, targets = batches_of(trained, consistent(0, mixup=1.0), epoch=0)[:2]
    torch.testing.assert_close(targets, taught_by_hand(trained, inputs), atol=0.03, rtol=0)


def test_copies_are_used_in_turn_and_predicted_once(
    trained: Trained, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = consistent(2)
    first, second, third = (batches_of(trained, member, epoch) for epoch in (0, 1, 2))
    kept = sorted(cache_folder.parent.glob("teachers/*.npy"))
    assert len(kept) == 2
    sums = [torch.cat(one[::2]).sum((1, 2, 3)).sort().values for one in (first, second, third)]
    torch.testing.assert_close(sums[0], sums[2])
    assert not torch.allclose(sums[0], sums[1])
    calls: list[int] = []
    monkeypatch.setattr(ConsistentTeachers, "__call__", lambda *_: calls.append(1))
    again = batches_of(trained, member, 0)
    assert calls == []
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_copy_is_predicted_in_small_batches_with_progress(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistent_module, "eval_batch_size", lambda side_px, _: side_px)
    events: list[Progress] = []
    with listening(events.append):
        batches_of(trained, consistent(1), 0)
    done = [event.done for event in events if event.unit == "images"]
    num_images = len(open_snapshot(trained.store, trained.snapshot).positions("train"))
    side_px = load_network(trained.store, trained.model)[1]["image_size_px"]
    assert done == [*range(side_px, num_images, side_px), num_images]


def test_a_final_fit_predicts_only_what_its_copies_have_besides_those_of_the_training(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "COPY_CHUNK", 64)
    monkeypatch.setattr(consistent_module, "COPY_CHUNK", 64)
    snapshot = open_snapshot(trained.store, trained.snapshot)
    both = final_data(snapshot, 1)
    first = len(snapshot.positions("train"))  # whatever the order of the images is
    of_training = replace(both, train=both.train.at(np.arange(first)))
    member = consistent(1)
    batches_of(trained, member, 0, of_training)
    events: list[Progress] = []
    with listening(events.append):
        found = batches_of(trained, member, 0, both)
    predicted = [event.done for event in events if event.unit == "images"]
    assert predicted
    assert min(predicted) > first // 64 * 64
    for inputs, targets in zip(found[::2], found[1::2], strict=True):
        torch.testing.assert_close(targets, taught_by_hand(trained, inputs), atol=0.03, rtol=0)


def test_a_damaged_prediction_is_made_again(trained: Trained, cache_folder: Path) -> None:
    before = batches_of(trained, consistent(1), 0)
    (kept,) = cache_folder.parent.glob("teachers/*.npy")
    kept.write_bytes(kept.read_bytes()[:100])
    after = batches_of(trained, consistent(1), 0)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_shipped_weights_teach(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    probs_NK = distill(trained.store, data, SHIPPED, ()).train.teacher_probs_NK
    network, preprocessing, _ = load_bundle("face_cnn")
    preprocessing["tta"] = "flip"
    expected = predict_probabilities(network, preprocessing, data.train.images)
    np.testing.assert_allclose(probs_NK, expected, atol=1e-5)


def test_a_shipped_ensemble_teaches_by_the_weighted_mean_of_its_networks(
    trained: Trained,
) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    bundle = load_any_bundle("face_ensemble")
    assert isinstance(bundle, EnsembleBundle)
    parts = []
    for network, preprocessing in bundle.members:
        preprocessing["tta"] = "flip"
        parts.append(predict_probabilities(network, preprocessing, data.train.images))
    ensemble_NK = bundle.combination.rule.combine(np.stack(parts).astype(np.float64))
    alone = STUDENT.model_copy(update={"teachers": ("bundled:face_ensemble",)})
    once = distill(trained.store, data, alone, ()).train.teacher_probs_NK
    np.testing.assert_allclose(once, ensemble_NK, atol=1e-5)
    # Beside another teacher it counts as one, not as three.
    both = distill(trained.store, data, alone, (trained.model,)).train.teacher_probs_NK
    other = distill(trained.store, data, STUDENT, (trained.model,)).train.teacher_probs_NK
    np.testing.assert_allclose(both, (ensemble_NK + other) / 2, atol=1e-5)


def test_a_consistent_ensemble_teaches_by_the_weighted_mean(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    member = consistent(0).model_copy(update={"teachers": ("bundled:face_ensemble",)})
    once = distill(trained.store, data, member, ()).teachers
    assert len(once) == 3
    device = torch.device("cpu")
    images = as_float(torch.tensor(data.train.images[:4]))
    found = ConsistentTeachers(once, member.training, device)(images)
    alone = [ConsistentTeachers([one], member.training, device)(images) * one.share for one in once]
    torch.testing.assert_close(found, torch.stack(alone).sum(0), atol=1e-5, rtol=0)
    assert once[0].share > 2 * once[1].share


def test_final_fits_do_not_teach(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    for name in ("face_cnn_final", "face_ensemble_final"):
        member = STUDENT.model_copy(update={"teachers": (f"bundled:{name}",)})
        with pytest.raises(ConfigError, match=rf"face_ensemble\).*'{name}'"):
            distill(trained.store, data, member, ())


def test_a_student_of_shipped_weights_names_them(trained: Trained) -> None:
    store, snapshot = trained.store, trained.snapshot
    member = SHIPPED.model_copy(
        update={"training": SHIPPED.training.model_copy(update={"epochs": 1})}
    )
    student = train_member(store, snapshot, member, 3, UNTRACKED)
    lineage = json.loads(store.read_file(student, "lineage.json"))
    assert lineage["bundled_teachers"] == bundled_fingerprints(member)
    assert lineage["bundled_teachers"]["face_cnn"].startswith("sha256:")


def test_other_shipped_weights_make_another_training(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = training_key(trained.snapshot, SHIPPED, 3)
    monkeypatch.setattr(
        "fer_models.training.checkpoint_dir.teacher_fingerprint", lambda _: "sha256:other"
    )
    assert training_key(trained.snapshot, SHIPPED, 3) != before


def test_shipped_teachers_must_exist_and_know_the_classes(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    unknown = SHIPPED.model_copy(update={"teachers": ("bundled:face_cnn_huge",)})
    with pytest.raises(ConfigError, match=r"face_cnn_large.*'face_cnn_huge'"):
        distill(trained.store, data, unknown, ())
    others = replace(data.train, classes=data.classes.named(["calm", "tense"]))
    with pytest.raises(ConfigError, match=r"calm, tense.*leave it out"):
        distill(trained.store, replace(data, train=others), SHIPPED, ())


@pytest.mark.parametrize(
    ("member", "training", "advice"),
    [
        ({}, {"teacher_copies": 3}, "consistent_teachers=true"),
        ({}, {"consistent_teachers": True, "workers": 2}, "workers=1"),
        ({"out_of_fold": {"folds": 3}}, {}, "out_of_fold.folds=0"),
    ],
)
def test_settings_that_do_not_fit_say_what_to_set(
    member: dict[str, object], training: dict[str, object], advice: str
) -> None:
    settings = {"name": "a", "teachers": ["bundled:face_cnn"], "training": training, **member}
    with pytest.raises(ValueError, match=advice):
        MemberConfig.model_validate(settings)
