"""Ingest joins the sources in order, reports all problems, and is reproducible."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot, open_table
from fer_models.errors import DataError, StoreError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.labels import VOTE_COLUMNS
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from tests.fer_models.ingest.builders import (
    fer2013_lines,
    parquet_columns,
    pixel_text,
    random_images,
    usages,
    write_fer2013,
    write_ferplus,
    write_folder,
    write_lines,
    write_parquet,
)

IMAGES = random_images(12)
SMALL = SyntheticConfig(num_images=140)


def config_of(*sources: Path | str, quarantine: bool = False) -> DataConfig:
    names = tuple(str(source) for source in sources)
    return DataConfig(sources=names, synthetic=SMALL, quarantine_bad_rows=quarantine)


def ingested(store: ArtifactStore, *sources: Path | str, **options: bool) -> DatasetSnapshot:
    return open_snapshot(store, ingest_sources(store, config_of(*sources, **options), seed=0))


def rejection(store: ArtifactStore, *sources: Path | str, quarantine: bool = False) -> DataError:
    with pytest.raises(DataError) as caught:
        ingest_sources(store, config_of(*sources, quarantine=quarantine), seed=0)
    assert not store.list_ids(SnapshotRef)
    assert not store.local_root.exists()
    return caught.value


def test_sources_are_joined_in_order(store: ArtifactStore, tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    votes = write_ferplus(tmp_path / "fer2013new.csv", usages(12))
    folder = write_folder(tmp_path / "mine", {"happy/a.png": IMAGES[0]})
    snapshot = ingested(store, table, votes, folder)
    manifest = snapshot.manifest
    assert manifest["image_id"].tolist() == [f"fer2013/{r:06d}" for r in range(12)] + [
        "mine/000000"
    ]
    assert manifest["source"].tolist() == ["fer2013.csv"] * 12 + ["mine"]
    assert manifest["path"].tolist() == [""] * 12 + ["happy/a.png"]
    assert manifest["votes_neutral"].tolist() == [5] * 12 + [-1]
    assert manifest["duplicate_group"].tolist() == [*range(12), 0]
    assert manifest["pixel_sha256"].nunique() == 12
    assert set(manifest["status"]) == {"kept"}
    np.testing.assert_array_equal(snapshot.images, np.concatenate([IMAGES, IMAGES[:1]]))
    assert snapshot.info["sources"] == ["fer2013.csv", "fer2013new.csv", "mine"]


def test_ids_stay_unique_when_files_have_the_same_name(
    store: ArtifactStore, tmp_path: Path
) -> None:
    first = write_fer2013(tmp_path / "faces.csv", IMAGES)
    second = write_parquet(tmp_path / "faces.parquet", parquet_columns(IMAGES))
    ids = ingested(store, first, second).manifest["image_id"]
    assert ids.is_unique
    assert ids.iloc[12] == "faces-2/000000"


def test_synthetic_faces_have_a_truth_table(store: ArtifactStore) -> None:
    snapshot = ingested(store, "synthetic")
    truth = open_table(store, snapshot.ref, "truth")
    assert truth.columns.tolist() == ["image_id", "true_label", "defect", "original_id"]
    assert truth["image_id"].tolist() == snapshot.manifest["image_id"].tolist()
    both = snapshot.manifest.merge(truth, on="image_id", validate="one_to_one")
    copies = both[both["defect"] == "exact_duplicate"]
    assert len(copies)
    sha_of = snapshot.manifest.set_index("image_id")["pixel_sha256"]
    assert (sha_of[copies["original_id"]].to_numpy() == copies["pixel_sha256"].to_numpy()).all()
    assert (truth.loc[truth["defect"] == "", "original_id"] == "").all()


def test_truth_ids_match_the_manifest_after_another_source(
    store: ArtifactStore, tmp_path: Path
) -> None:
    snapshot = ingested(store, write_fer2013(tmp_path / "a.csv", IMAGES), "synthetic")
    truth = open_table(store, snapshot.ref, "truth")
    assert set(truth["image_id"]) == set(snapshot.manifest["image_id"][12:])
    assert snapshot.manifest["votes_nf"].eq(-1).all()


def test_the_seed_changes_synthetic_faces_only(store: ArtifactStore, tmp_path: Path) -> None:
    table = config_of(write_fer2013(tmp_path / "fer2013.csv", IMAGES))
    faces = config_of("synthetic")
    assert ingest_sources(store, table, 0) == ingest_sources(store, table, 1)
    assert ingest_sources(store, faces, 0) != ingest_sources(store, faces, 1)


_IN_ANOTHER_PROCESS = """
import sys
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
config = DataConfig(sources=tuple(sys.argv[2:]), synthetic={"num_images": 140})
print(ingest_sources(ArtifactStore(StoreConfig(url=sys.argv[1])), config, 0).id)
print(fingerprint_sources(config, 0))
heavy = {"torch", "ray", "timm", "pytorch_lightning", "matplotlib", "sklearn"} & set(sys.modules)
print(heavy)
"""


def test_ids_are_the_same_in_another_process_and_folder(
    store: ArtifactStore, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    write_fer2013(here / "fer2013.csv", IMAGES)
    write_folder(here / "mine", {"happy/a.png": IMAGES[0], "sad/b.png": IMAGES[1]})
    names = ["fer2013.csv", "mine"]
    config = config_of(*(here / name for name in names), "synthetic")
    expected = [ingest_sources(store, config, 0).id, fingerprint_sources(config, 0), "set()"]
    there = shutil.copytree(here, tmp_path / "with a blank")
    done = subprocess.run(
        [sys.executable, "-c", _IN_ANOTHER_PROCESS, str(tmp_path / "s"), *names, "synthetic"],
        cwd=there,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:3] == expected


# -- bad input -----------------------------------------------------------------------------------


def test_problems_of_all_sources_are_reported_together(
    store: ArtifactStore, tmp_path: Path
) -> None:
    lines = fer2013_lines(IMAGES)
    short = write_lines(tmp_path / "a.csv", "emotion,pixels,Usage", [lines[0], "9,1 2,Training"])
    columns = write_lines(tmp_path / "b.csv", "label,px", ["1,2"])
    folder = write_folder(tmp_path / "mine", {"happy/a.png": b"", "+/b.png": IMAGES[0]})
    cut = tmp_path / "c.parquet"
    cut.write_bytes(b"PAR1 and no more")
    error = rejection(store, short, columns, folder, cut, tmp_path / "absent.csv")
    assert error.exit_code == 2
    assert {problem.partition(":")[0] for problem in error.problems} == {
        f"{short}, row 1 (line 3)",
        str(columns),
        str(folder),
        str(cut),
        str(tmp_path / "absent.csv"),
    }
    assert "quarantine_bad_rows=true" in error.message


def test_ferplus_needs_a_table_before_it(store: ArtifactStore, tmp_path: Path) -> None:
    votes = write_ferplus(tmp_path / "fer2013new.csv", usages(12))
    folder = write_folder(tmp_path / "mine", {"happy/a.png": IMAGES[0]})
    for sources in ([votes], ["synthetic", votes], [folder, votes]):
        [problem] = rejection(store, *sources).problems
        assert "expected a FER2013 table just before these FER+ votes" in problem


def test_ferplus_after_an_unusable_table_causes_no_second_problem(
    store: ArtifactStore, tmp_path: Path
) -> None:
    votes = write_ferplus(tmp_path / "fer2013new.csv", usages(12))
    [problem] = rejection(store, tmp_path / "absent.csv", votes).problems
    assert problem.startswith(str(tmp_path / "absent.csv"))


def test_an_unreadable_file_is_reported(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    monkeypatch.setattr(Path, "open", fail)
    [problem] = rejection(store, path).problems
    assert "Permission denied" in problem


# -- quarantine ----------------------------------------------------------------------------------


def test_quarantine_rejects_rows_without_an_image_and_keeps_the_others(
    store: ArtifactStore, tmp_path: Path
) -> None:
    pixels = pixel_text(IMAGES[0])
    rows = [
        *fer2013_lines(IMAGES)[:2],
        "0,1 2 3,Training",
        f"9,{pixels},Training",
        f"3,{pixels},Nowhere",
    ]
    table = write_lines(tmp_path / "a.csv", "emotion,pixels,Usage", rows)
    folder = write_folder(tmp_path / "mine", {"happy/a.png": b"", "happy/b.png": IMAGES[5]})
    snapshot = ingested(store, table, folder, quarantine=True)
    manifest = snapshot.manifest
    assert manifest["row"].tolist() == [0, 1, 3, 4, 1]
    assert manifest["status"].tolist() == ["kept"] * 2 + ["quarantined"] * 2 + ["kept"]
    assert manifest["reason"].tolist() == ["", "", "bad_label", "bad_split", ""]
    assert manifest["label"].tolist() == [0, 1, -1, 2, 2]
    rejected = open_table(store, snapshot.ref, "rejected")
    assert rejected[["source", "row", "path"]].to_numpy().tolist() == [
        ["a.csv", 2, ""],
        ["mine", 0, "happy/a.png"],
    ]
    assert "got 3" in rejected["problem"][0]
    assert str(tmp_path) not in rejected.to_csv()
    assert snapshot.info["rejected"] == 2


def test_quarantine_without_bad_rows_changes_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    snapshot = ingested(store, table, quarantine=True)
    assert snapshot.ref == ingested(store, table).ref
    with pytest.raises(StoreError):
        open_table(store, snapshot.ref, "rejected")


def test_votes_match_their_rows_beside_rejected_rows(store: ArtifactStore, tmp_path: Path) -> None:
    lines = fer2013_lines(IMAGES)
    lines[3] = "0,1 2 3,Training"
    table = write_lines(tmp_path / "fer2013.csv", "emotion,pixels,Usage", lines)
    votes = np.tile(np.arange(12)[:, None] % 10, (1, 10))
    ferplus = write_ferplus(tmp_path / "fer2013new.csv", usages(12), votes)
    manifest = ingested(store, table, ferplus, quarantine=True).manifest
    assert 3 not in set(manifest["row"])
    np.testing.assert_array_equal(manifest[list(VOTE_COLUMNS)], votes[manifest["row"]])


@pytest.mark.parametrize("text", ["emotion,px,Usage\n0,1,Training\n", "emotion,pixels\n3,1 2"])
def test_damaged_files_are_rejected_despite_quarantine(
    store: ArtifactStore, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert len(rejection(store, path, quarantine=True).problems) == 1


def test_a_source_with_only_bad_rows_is_rejected(store: ArtifactStore, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "pixels", ["1 2 3"])
    [problem] = rejection(store, path, quarantine=True).problems
    assert "at least one usable image" in problem
    assert "row 0 (line 2): expected 2304 pixel values (48 x 48), got 3" in problem
