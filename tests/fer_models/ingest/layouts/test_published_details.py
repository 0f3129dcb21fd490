"""What published layouts contain beside labels: votes, left out images, missing files."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import DROPPED_CLASS, ingest_sources
from fer_models.ingest.layouts.affectnet import npy_label
from fer_models.ingest.read import ReadSource, read_sources
from fer_models.labels import VOTE_COLUMNS
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.builders import image_bytes, write_folder
from tests.fer_models.ingest.layouts import published
from tests.fer_models.ingest.layouts.published import Built, face, npy


def read(root: Path, built: Built, **settings: object) -> ReadSource:
    write_folder(root / "faces", built.files)  # type: ignore[arg-type]
    config = DataConfig(sources=(str(root / "faces"),), **settings)  # type: ignore[arg-type]
    [one] = read_sources(config, seed=0)
    return one


def problems(root: Path, built: Built, **settings: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(root, built, **settings)
    return list(caught.value.problems)


def label_of(one: ReadSource, path: str) -> str:
    assert one.table is not None
    [number] = one.table.fields.loc[one.table.fields["path"] == path, "label"]
    return one.table.label_names[number]


# -- FER+ ----------------------------------------------------------------------------------------


def test_ferplus_votes_are_kept_and_images_without_majority_are_counted(tmp_path: Path) -> None:
    one = read(tmp_path, published.ferplus())
    assert one.table is not None
    assert one.table.has_votes
    votes = one.table.fields[list(VOTE_COLUMNS)].to_numpy()
    assert (votes.sum(axis=1) == 10).all()
    names = [*one.table.label_names, ""]
    for label, counts in zip(one.table.fields["label"], votes, strict=True):
        winners = np.flatnonzero(counts == counts.max())
        expected = published.FERPLUS[winners[0]] if len(winners) == 1 and winners[0] < 8 else ""
        assert names[label] == expected
    assert one.findings.notes == [
        "3 images are unlabelled: the majority of votes is a tie",
        "3 images are unlabelled: the majority of votes is not a face",
        "3 images are unlabelled: the majority of votes is unknown",
    ]


def test_ferplus_rows_without_a_name_are_counted(tmp_path: Path) -> None:
    built = published.ferplus()
    built.files["FER2013Test/label.csv"] += b'\n,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,10'
    assert "a row without the name of an image" in " ".join(read(tmp_path, built).findings.notes)


def test_ferplus_votes_that_are_no_counts_are_a_bad_row(tmp_path: Path) -> None:
    built = published.ferplus()
    name = "FER2013Test/label.csv"
    built.files[name] = built.files[name].replace(b",7,3,0", b",17,3,0", 1)
    [problem] = problems(tmp_path, built)
    assert "expected 10 FER+ votes 0..10" in problem


# -- RAF-DB, ExpW --------------------------------------------------------------------------------


def test_rafdbs_list_proves_its_numbering_against_another_scheme(tmp_path: Path) -> None:
    one = read(tmp_path, published.rafdb(), label_scheme="ferplus")
    path = "basic/Image/aligned/train_00001_aligned.jpg"
    assert label_of(one, path) == "surprise"
    assert "data.label_scheme does not apply" in one.findings.notes[0]


def test_rafdbs_original_images_are_read_if_there_are_no_aligned_ones(tmp_path: Path) -> None:
    built = published.rafdb()
    for path in list(built.labels):
        plain = path.replace("aligned/", "original/").replace("_aligned", "")
        built.files[plain] = built.files.pop(path)
    one = read(tmp_path, built)
    assert label_of(one, "basic/Image/original/test_00006.jpg") == "angry"


def test_rafdbs_aligned_images_are_read_beside_the_original_ones(tmp_path: Path) -> None:
    built = published.rafdb()
    for path in list(built.labels):
        plain = path.replace("aligned/", "original/").replace("_aligned", "")
        built.files[plain] = built.files[path]
    one = read(tmp_path, built)
    assert one.table is not None
    assert one.table.fields["path"].tolist() == sorted(built.labels)
    assert "14 images are not read" in one.findings.notes[0]


def test_missing_images_of_a_list_are_one_line(tmp_path: Path) -> None:
    built = published.rafdb()
    for path in list(built.labels)[:5]:
        del built.files[path]
    [problem] = problems(tmp_path, built)
    assert "and 2 more: no such image; add the files, or remove the rows" in problem
    one = read(tmp_path, built, quarantine_bad_rows=True)
    assert one.table is not None
    assert len(one.table.images) == 9


def test_a_line_that_fits_no_list_is_a_fault(tmp_path: Path) -> None:
    built = published.rafdb()
    built.files["basic/EmoLabel/list_patition_label.txt"] += b"\ntrain_00001.jpg happy"
    [problem] = problems(tmp_path, built)
    assert "expected an image and its number in every line, got another text in 1 (line 15)" in (
        problem
    )


def compound() -> Built:
    """RAF-DB's compound part: its list has the name of the basic one, and other numbers."""
    built = published.rafdb()
    name = "basic/EmoLabel/list_patition_label.txt"
    built.files[name] = built.files[name].replace(b"_00003.jpg 3", b"_00003.jpg 8")
    return built


@pytest.mark.parametrize("scheme", ["", "affectnet", ("unused", "happily surprised")])
def test_a_list_with_numbers_beyond_rafdbs_basic_ones_is_never_read_as_it(
    tmp_path: Path, scheme: str | tuple[str, ...]
) -> None:
    settings = {"label_scheme": scheme, "quarantine_bad_rows": True}
    [problem] = problems(tmp_path, compound(), **settings)
    assert "label 8 (line 5) occurs: this is none of RAF-DB's basic expressions" in problem
    assert "--set data.label_scheme=[unused,first,second,...]" in problem


def test_names_for_the_numbers_of_rafdbs_compound_part_apply(tmp_path: Path) -> None:
    names = ("unused", *(f"mood {letter}" for letter in "abcdefgh"))
    one = read(tmp_path, compound(), label_scheme=names)
    folder = "basic/Image/aligned"
    assert label_of(one, f"{folder}/train_00001_aligned.jpg") == "mood a"
    assert label_of(one, f"{folder}/test_00003_aligned.jpg") == "mood h"


def test_a_face_with_two_labels_is_a_bad_row(tmp_path: Path) -> None:
    built = published.expw()
    line = built.files["label/label.lst"].splitlines()[0]
    built.files["label/label.lst"] += b"\n" + line[:-1] + b"6"
    repeated, conflict = sorted(problems(tmp_path, built), key=lambda text: "another" in text)
    assert "a second row of the same image" in repeated
    assert "gives another label, '6'" in conflict


# -- AffectNet -----------------------------------------------------------------------------------


def test_affectnets_images_without_expression_are_left_out(tmp_path: Path) -> None:
    built = published.affectnet_npy()
    for number in (8, 9, 10):
        built.add(f"train_set/images/{number}.jpg", "", "train")
        content = npy(np.array(number))
        built.files[f"train_set/annotations/{number}_exp.npy"] = content
    write_folder(tmp_path / "faces", built.files)  # type: ignore[arg-type]
    store = ArtifactStore(StoreConfig(url=str(tmp_path / "store")))
    config = DataConfig(sources=(str(tmp_path / "faces"),))
    manifest = open_snapshot(store, ingest_sources(store, config, 0)).manifest
    left_out = manifest[manifest["reason"] == DROPPED_CLASS]
    assert sorted(left_out["path"]) == [f"train_set/images/{n}.jpg" for n in (10, 8, 9)]
    assert (manifest["label"] >= 0).sum() == 16


def test_affectnets_images_and_annotations_belong_together(tmp_path: Path) -> None:
    built = published.affectnet_npy()
    del built.files["train_set/annotations/3_exp.npy"]
    del built.files["val_set/images/13.jpg"]
    without_image, without_annotation = sorted(
        problems(tmp_path, built), key=lambda text: "no annotations" in text
    )
    assert "train_set/images/3.jpg: no annotations/*_exp.npy" in without_annotation
    assert "val_set/13_exp.npy: an annotation without its image" in without_image


@pytest.mark.parametrize("content", [b"", b"3", npy(np.array([1, 2])), b"\x93NUMPY\x01\x00"])
def test_an_annotation_that_is_no_number_is_a_fault(tmp_path: Path, content: bytes) -> None:
    built = published.affectnet_npy()
    built.files["train_set/annotations/3_exp.npy"] = content
    [problem] = problems(tmp_path, built)
    assert "3_exp.npy: expected one number (npy), got another file" in problem


@pytest.mark.parametrize(
    "value", ["3", 3, [3], np.array(3, dtype=">i4"), np.uint8(3), 3.0, np.array(b"3")]
)
def test_an_annotation_may_have_any_type(value: object) -> None:
    assert float(npy_label(npy(np.array(value)))) == 3


def test_an_annotation_never_runs_code(tmp_path: Path) -> None:
    built = published.affectnet_npy()
    built.files["train_set/annotations/3_exp.npy"] = npy(np.array({"a": print}, dtype=object))
    [problem] = problems(tmp_path, built)
    assert "expected one number (npy)" in problem


# -- JAFFE, KDEF ---------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["jaffe", "kdef"])
def test_one_other_name_is_no_layout_of_file_names(tmp_path: Path, layout: str) -> None:
    built: Built = getattr(published, layout)()
    built.files["holiday.png"] = image_bytes(face(0))
    with pytest.raises(DataError):
        read(tmp_path, built)


def test_file_names_that_contradict_class_folders_ask(tmp_path: Path) -> None:
    built = Built()
    built.add("sad/AF01HAS.JPG", "sad")
    built.add("happy/AF02HAS.JPG", "happy")
    [problem] = problems(tmp_path, built)
    assert "sad/AF01HAS.JPG: happy and sad" in problem
    assert "data.table.path" in problem


def test_kdefs_images_with_a_cut_name_are_left_out_with_a_note(tmp_path: Path) -> None:
    built = published.kdef()
    content = next(iter(built.files.values()))
    one = read(tmp_path, Built({**built.files, "AF01/AF31V.JPG": content}))
    assert one.table is not None
    assert len(one.table.fields) == len(built.files)
    assert one.table.label_names == (
        "fear",
        "angry",
        "disgust",
        "happy",
        "neutral",
        "sad",
        "surprise",
    )
    assert one.findings.notes == [
        "labels by KDEF's names",
        "1 images are not read: their names are cut off (AF01/AF31V.JPG)",
    ]
