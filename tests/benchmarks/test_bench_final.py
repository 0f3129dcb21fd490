"""Shipped final fits in the benchmark: they have learned from PublicTest, too."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.bundles.shipped import shipped_facts
from fer_models.storage.store import ArtifactStore
from tests.benchmarks.bench_fer import bench_fer
from tests.benchmarks.results import entrants
from tests.benchmarks.results import faces as found
from tests.benchmarks.results.entrants import left_out
from tests.benchmarks.results.faces import read_faces
from tests.benchmarks.results.tables import accuracy_table
from tests.benchmarks.test_bench_fer import write_table
from tests.fer_models.builders import draw_faces


def test_final_fits_are_not_measured_on_images_that_they_learned_from(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(
        tmp_path / "fer2013.csv", ["PublicTest"] * 14, draw_faces(np.arange(14) % 7, seed=4)
    )
    faces = read_faces([str(tmp_path / "fer2013.csv")], None, store)
    facts = {name: one for name, one in shipped_facts().items() if not one.final_fit_of}
    final = facts["face_cnn"].model_copy(update={"final_fit_of": "face_cnn-1"})
    monkeypatch.setattr(entrants, "shipped_facts", lambda: facts | {"face_cnn": final})
    results = bench_fer(faces, ["fast"], peers=[], root=tmp_path)
    names = [score.entrant.name.partition(",")[0] for score in results.scores]
    assert names[:-1] == [name for name in facts if name != "face_cnn"]
    assert "* face_cnn has learned from these images, too" in accuracy_table(results)
    assert left_out("PrivateTest") == []


def test_copies_of_public_images_are_left_out_for_final_fits(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = draw_faces(np.arange(42) % 7, seed=4)
    images[35] = images[0]  # PrivateTest and Training
    images[36] = images[22]  # PrivateTest and PublicTest
    path = tmp_path / "fer2013.csv"
    write_table(path, ["Training"] * 21 + ["PublicTest"] * 14 + ["PrivateTest"] * 7, images)
    monkeypatch.setattr(found, "shipped_facts", dict)
    first = read_faces([str(path)], None, store)
    assert [int(mask.sum()) for mask in first.sets.values()] == [7, 6, 6]
    facts = shipped_facts()["face_cnn"].model_copy(update={"final_fit_of": "face_cnn-1"})
    monkeypatch.setattr(found, "shipped_facts", lambda: {"face_cnn": facts})
    second = read_faces([str(path)], None, store)
    assert [int(mask.sum()) for mask in second.sets.values()] == [7, 5, 5]
