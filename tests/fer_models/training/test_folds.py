"""Out-of-fold predictions: no network has seen the images that it predicts."""

import numpy as np
import pytest

from fer_models.dataset.copies import find_copies
from fer_models.dataset.snapshot import (
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.errors import ConfigError, DataError
from fer_models.evaluation.predictions import read_out_of_fold
from fer_models.progress import listening
from fer_models.storage.refs import FoldRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import member_identity
from fer_models.training.config import MemberConfig, OutOfFoldConfig
from fer_models.training.engine import fit as fit_module
from fer_models.training.folds.assign import training_folds
from fer_models.training.folds.stored import folds_of, merge_folds
from fer_models.training.folds.train import fit_fold
from fer_models.training.inputs.data import TrainingData
from fer_models.training.predict import load_network, predict_probabilities
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces

FOLDED = MEMBER.model_copy(update={"out_of_fold": OutOfFoldConfig(folds=3)})


def short(**values: object) -> MemberConfig:
    """The member with folds, trained for one epoch."""
    training = FOLDED.training.model_copy(update={"epochs": 1})
    return FOLDED.model_copy(update={"training": training, **values})


def with_copies(store: ArtifactStore, num_copies: int = 12) -> SnapshotRef:
    """Stripes whose first training images have an exact copy, or a mirrored one, in training."""
    plain = open_snapshot(store, write_faces(store))
    images = np.array(plain.images)
    for number in range(num_copies):
        copied = images[number]
        images[60 + number] = copied if number % 2 else copied[:, ::-1]
    manifest = plain.manifest.assign(pixel_sha256=pixel_sha256(images))
    manifest["duplicate_group"] = first_of_group(manifest["pixel_sha256"])
    return write_snapshot(store, manifest, images, step="split")


@pytest.fixture(scope="module")
def folded(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The shared store, with a model of `short` that has three folds."""
    store, snapshot = trained.store, trained.snapshot
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        model = train_member(store, snapshot, short(tta="flip"), 3, UNTRACKED)
    return Trained(store, snapshot, model)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[TrainingData]:
    """The data of every training, as it arrives in the training loop."""
    given: list[TrainingData] = []
    run_trainer = fit_module.run_trainer

    def spy(data: TrainingData, *args: object, **more: object) -> object:
        given.append(data)
        return run_trainer(data, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(fit_module, "run_trainer", spy)
    return given


def test_no_network_is_trained_on_a_copy_of_an_image_that_it_predicts(
    store: ArtifactStore, seen: list[TrainingData]
) -> None:
    snapshot = with_copies(store)
    opened = open_snapshot(store, snapshot)
    model = train_member(store, snapshot, short(), 3, UNTRACKED)
    predictions = read_out_of_fold(store, opened, model)
    assert predictions is not None
    assert predictions.folds is not None
    positions = opened.positions("train")
    groups = find_copies(store, opened).group[positions]
    assert len(set(groups.tolist())) < len(groups)
    by_pixels = {image.tobytes(): row for row, image in enumerate(opened.images[positions])}
    assert len(seen) == 4
    for fold, data in enumerate(seen[:3]):
        rows = [by_pixels[image.tobytes()] for image in data.train.images]
        left_out = predictions.folds == fold
        assert left_out.sum() + len(rows) == len(positions)
        assert not set(groups[rows].tolist()) & set(groups[left_out].tolist())
        np.testing.assert_array_equal(
            data.validation.images, opened.images[opened.positions("validation")]
        )
    assert len(seen[3].train) == len(positions)


def test_each_row_is_what_the_network_of_its_fold_predicts(folded: Trained) -> None:
    store, model = folded.store, folded.model
    opened = open_snapshot(store, folded.snapshot)
    predictions = read_out_of_fold(store, opened, model)
    assert predictions is not None
    assert predictions.folds is not None
    folds = folds_of(store, model)
    assert [ref.fold for ref in folds] == [0, 1, 2]
    for ref in folds:
        rows = predictions.folds == ref.fold
        network, preprocessing = load_network(store, ref)
        images = np.asarray(opened.images[predictions.positions[rows]])
        probs_NK = predict_probabilities(network, preprocessing, images)
        np.testing.assert_allclose(predictions.probs_NK[rows], probs_NK, atol=1e-5)
    accuracy = store.info(model)["out_of_fold_accuracy"]
    assert accuracy == pytest.approx(predictions.correct.mean())


def test_classes_are_spread_evenly_over_the_folds(trained: Trained) -> None:
    store, opened = trained.store, open_snapshot(trained.store, trained.snapshot)
    labels = opened.labels(opened.positions("train"))
    folds = training_folds(store, opened, 5, 0)
    counts = np.stack([np.bincount(labels[folds == fold], minlength=7) for fold in range(5)])
    assert (counts.max(0) - counts.min(0) <= 1).all()


def test_folds_change_the_id_of_a_model_but_not_its_weights(folded: Trained) -> None:
    plain = short(tta="flip", out_of_fold=OutOfFoldConfig())
    model = train_member(folded.store, folded.snapshot, plain, 3, UNTRACKED)
    file = "weights.safetensors"
    assert folded.store.read_file(model, file) == folded.store.read_file(folded.model, file)
    assert model.id != folded.model.id
    assert "out_of_fold.npz" not in folded.store.describe(model).files
    # Nothing that the id hashes says that members can have folds.
    assert "out_of_fold" not in member_identity(plain)


def test_a_killed_run_continues_with_the_folds_that_are_finished(
    store: ArtifactStore, trained: Trained, seen: list[TrainingData]
) -> None:
    snapshot = write_faces(store)

    def killed(progress: object) -> None:
        if "fold 2 of 3: loss" in str(getattr(progress, "note", "")):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(killed):
        train_member(store, snapshot, FOLDED, 3, UNTRACKED)
    assert len(seen) == 2
    notes: list[str] = []
    with listening(lambda progress: notes.append(progress.note)):
        resumed = train_member(store, snapshot, FOLDED, 3, UNTRACKED)
    assert len(seen) == 2 + 3
    assert "small, fold 1 of 3: already trained" in notes
    assert "small, fold 2 of 3: resumed after epoch 1" in notes
    whole = train_member(trained.store, trained.snapshot, FOLDED, 3, UNTRACKED)
    file = "out_of_fold.npz"
    assert store.read_file(resumed, file) == trained.store.read_file(whole, file)


def test_a_teacher_teaches_with_its_network_for_the_same_fold(
    folded: Trained, seen: list[TrainingData]
) -> None:
    student = short(name="student", teachers=("small",))
    fit_fold(folded.store, folded.snapshot, student, 3, UNTRACKED, 1, [folded.model])
    teacher = folds_of(folded.store, folded.model)[1]
    network, preprocessing = load_network(folded.store, teacher)
    preprocessing["tta"] = "flip"
    expected = predict_probabilities(network, preprocessing, seen[0].train.images)
    assert seen[0].train.teacher_probs_NK is not None
    np.testing.assert_allclose(seen[0].train.teacher_probs_NK, expected, atol=1e-5)


def test_a_teacher_that_has_seen_the_left_out_images_is_rejected(
    store: ArtifactStore, trained: Trained
) -> None:
    student = short(name="student", teachers=("small",))
    with pytest.raises(ConfigError, match=r"the same out_of_fold\.folds and seed"):
        fit_fold(trained.store, trained.snapshot, student, 3, UNTRACKED, 0, [trained.model])


def test_too_few_images_for_the_folds_are_reported_together(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, write_faces(store, num_train=8, num_validation=7))
    with pytest.raises(DataError, match=r"out_of_fold\.folds=0") as caught:
        training_folds(store, snapshot, 10, 0)
    assert len(caught.value.problems) == 7  # too few images, and six classes with one


def test_incomplete_folds_are_rejected(folded: Trained) -> None:
    store, opened = folded.store, open_snapshot(folded.store, folded.snapshot)
    folds = folds_of(store, folded.model)
    with pytest.raises(DataError, match="expected all folds of small, got 2"):
        merge_folds(store, opened, folds[:2])
    with pytest.raises(DataError, match="expected other images"):
        merge_folds(store, opened, [folds[0], folds[0]])


def test_one_fold_is_rejected() -> None:
    with pytest.raises(ValueError, match="2 to 10, got 1"):
        OutOfFoldConfig(folds=1)


def test_the_lineage_names_the_folds(folded: Trained) -> None:
    store, model = folded.store, folded.model
    ids = store.read_json(model, "lineage.json")["folds"]
    assert len(ids) == 3
    for number, fold_id in enumerate(ids):
        lineage = store.read_json(
            store.ref(FoldRef, fold_id, name="small", fold=number), "lineage.json"
        )
        assert lineage["dataset_sha"] == store.info(model)["snapshot_id"]
        assert lineage["fold"] == number
