import json
from dataclasses import replace

import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import StoreError
from fer_models.storage.refs import ModelRef
from fer_models.training.checkpoint_dir import training_key
from fer_models.training.inputs.data import training_data
from fer_models.training.objective.distillation import distill
from fer_models.training.objective.targets import training_targets
from fer_models.training.predict import load_network, predict_probabilities
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained

STUDENT = MEMBER.model_copy(update={"name": "student", "teachers": ("small",)})


def test_without_teachers_the_data_is_unchanged(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    assert distill(trained.store, data, ()) is data


def test_several_teachers_are_averaged(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    other = train_member(trained.store, trained.snapshot, MEMBER, 4, UNTRACKED)
    expected = []
    for teacher in (trained.model, other):
        network, preprocessing = load_network(trained.store, teacher)
        # Each image and its mirror image, averaged by hand.
        views = (data.train.images, np.ascontiguousarray(data.train.images[:, :, ::-1]))
        expected += [predict_probabilities(network, preprocessing, view) for view in views]
    probs_NK = distill(trained.store, data, (trained.model, other)).train.teacher_probs_NK
    assert probs_NK is not None
    np.testing.assert_allclose(probs_NK, np.mean(expected, axis=0), atol=1e-5)


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
        distill(trained.store, data, (gone,))
