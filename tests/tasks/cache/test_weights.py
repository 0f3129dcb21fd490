import pytest

from fer_models.training.config import MemberConfig
from tasks.cache.weights import weights_fingerprint


def test_random_weights_need_no_folder() -> None:
    assert weights_fingerprint({"member": MemberConfig(name="small")}) == "random"


def test_shipped_teachers_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    member = MemberConfig(name="small", teachers=("bundled:face_cnn", "bundled:face_cnn_large"))
    before = weights_fingerprint({"member": member})
    assert before.count("sha256:") == 2
    monkeypatch.setattr(
        "fer_models.models.pretrained.shipped.teacher_fingerprint", lambda _: "sha256:other"
    )
    assert weights_fingerprint({"member": member}) != before
