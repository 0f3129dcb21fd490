"""Settings that messages about folds and the final fit name: following them works."""

import pytest
from pydantic import ValidationError

from fer_models.models.pretrained import start
from fer_models.storage.refs import ModelRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.final_fit import fit_final
from fer_models.training.folds.train import fit_fold
from fer_models.training.train import train_member
from flows.final_fit import final_fit
from flows.recipes import load_config
from tests.fer_models.following import assigned, changed, refusal
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces

FOLDED = changed(MEMBER, "training.epochs=1", "out_of_fold.folds=10")


def test_with_too_few_images_a_member_is_trained_without_folds_as_proposed(
    store: ArtifactStore,
) -> None:
    snapshot = write_faces(store, num_train=8, num_validation=7)

    def train(member: MemberConfig) -> None:
        train_member(store, snapshot, member, 0, UNTRACKED)

    [proposed] = assigned(refusal(train, FOLDED))
    assert proposed == "out_of_fold.folds=0"
    train(changed(FOLDED, proposed, "training.batch_size=4"))


def test_shipped_teachers_teach_a_member_without_folds_as_proposed() -> None:
    taught = FOLDED.model_dump() | {"teachers": ("bundled:face_cnn",)}
    with pytest.raises(ValidationError, match=r"set out_of_fold\.folds=0, or choose members"):
        MemberConfig.model_validate(taught)
    MemberConfig.model_validate(taught | {"out_of_fold": {"folds": 0}})
    MemberConfig.model_validate(taught | {"teachers": ("another",)})


def test_a_teacher_without_these_folds_teaches_a_member_without_folds(trained: Trained) -> None:
    student = FOLDED.model_copy(update={"name": "student", "teachers": ("small",)})
    student = changed(student, "out_of_fold.folds=2")
    common = (UNTRACKED, [trained.model])

    def train(member: MemberConfig) -> ModelRef:
        store, snapshot = trained.store, trained.snapshot
        if member.out_of_fold.folds:
            fit_fold(store, snapshot, member, 3, UNTRACKED, 0, [trained.model])
        return train_member(store, snapshot, member, 3, *common)

    [proposed] = assigned(refusal(train, student))
    assert proposed == "out_of_fold.folds=0"
    train(changed(student, proposed))


@pytest.mark.parametrize("changes", ["pretrained", "teachers"])
def test_without_a_final_fit_its_other_start_does_not_matter(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, changes: str
) -> None:
    if changes == "pretrained":
        monkeypatch.setattr(start, "pretrained_fingerprint", lambda _: "sha256:other")
    else:
        name = "fer_models.training.checkpoint_dir.bundled_fingerprints"
        monkeypatch.setattr(name, lambda _: {"face_cnn": "sha256:other"})
    message = refusal(lambda model: fit_final(trained.store, model, UNTRACKED), trained.model)
    [proposed] = assigned(message)
    assert proposed == "final_fit.enabled=false"
    config = load_config("demo", [proposed, f"store.url={trained.store.url}"])
    facts = {"passed": True, "num_errors": 0, "num_warnings": 0}
    validation = trained.store.ref(ValidationRef, "v", **facts)
    assert final_fit(config, trained.snapshot, trained.model, validation) is None
