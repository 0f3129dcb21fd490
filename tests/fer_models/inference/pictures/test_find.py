"""Finding and reading pictures in every place that a person may name."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.dataset.image_format import THUMBNAIL
from fer_models.errors import DataError
from fer_models.inference.picture import Picture
from fer_models.inference.pictures.find import FoundPictures, find_pictures
from fer_models.inference.pictures.read import read_pictures
from fer_models.ingest.files.image_decoding import decode_image
from tests.fer_models.inference.builders import write_picture
from tests.fer_models.ingest.builders import random_images, write_folder

IMAGES = random_images(5)


def pictures(*paths: object) -> list[Picture]:
    return list(read_pictures(find_pictures([str(path) for path in paths])))


def names(found: FoundPictures) -> list[str]:
    return [picture.path for picture in read_pictures(found)]


def crops(found: list[Picture]) -> np.ndarray:
    return np.stack([picture.as_crop(THUMBNAIL) for picture in found])


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def test_folders_are_walked_in_order_without_hidden_files(tmp_path: Path) -> None:
    files = ["b/2.png", "b/1.png", "a.jpg", ".hidden.png", ".git/x.png", "Thumbs.db"]
    write_folder(tmp_path / "faces", dict.fromkeys(files, IMAGES[0]))
    found = find_pictures([str(tmp_path / "faces")])
    assert names(found) == [f"{tmp_path}/faces/{name}" for name in ("a.jpg", *files[1::-1])]


def test_paths_stay_as_given_and_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "faces", {"x/1.png": IMAGES[0], "2.png": IMAGES[1]})
    monkeypatch.chdir(tmp_path)
    found = find_pictures(["faces", "faces/2.png", "faces/*.png"])
    assert names(found) == ["faces/2.png", "faces/x/1.png"]
    assert len(found) == 2
    assert names(find_pictures(["."])) == ["faces/2.png", "faces/x/1.png"]


def test_a_hidden_file_is_read_if_given(tmp_path: Path) -> None:
    write_folder(tmp_path, {".face.png": IMAGES[0]})
    assert len(find_pictures([str(tmp_path / ".face.png")])) == 1


@pytest.mark.parametrize(
    "name", [" ", "a b", "Gesicht \U0001f600 日本.png", "=1+1.png", "a\nb", "[red]*.png", "~x"]
)
def test_unusual_file_names_are_read(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, {name: IMAGES[0]})
    for given in (tmp_path, tmp_path / name):
        [picture] = pictures(given)
        assert picture.path == str(tmp_path / name)
        np.testing.assert_array_equal(picture.as_crop(THUMBNAIL), IMAGES[0])


def test_a_file_name_that_is_not_utf8_has_a_problem(tmp_path: Path) -> None:
    write_folder(tmp_path, {"good.png": IMAGES[0]})
    write_picture(tmp_path / os.fsdecode(b"bad\xff.png"), IMAGES[1])
    problems = {picture.path.rpartition("/")[2]: picture.problem for picture in pictures(tmp_path)}
    assert problems["good.png"] == ""
    assert "UTF-8" in problems["bad\\udcff.png"]
    assert len(pictures(tmp_path, tmp_path)) == 2


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    [picture] = pictures(tmp_path)
    assert (picture.path, picture.problem) == (str(tmp_path), "the folder contains no pictures")


def test_patterns_are_expanded_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, dict.fromkeys(["b.jpg", "a.jpg", "c.png", "x/y/d.jpg"], IMAGES[0]))
    monkeypatch.chdir(tmp_path)
    assert names(find_pictures(["*.jpg"])) == ["a.jpg", "b.jpg"]
    assert names(find_pictures(["[bc].*"])) == ["b.jpg", "c.png"]
    assert names(find_pictures(["**/*.jpg"])) == ["a.jpg", "b.jpg", "x/y/d.jpg"]


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, {"face.png": IMAGES[0]})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(find_pictures(["~/face.png", "~/*.png"])) == 1


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_are_read_without_unpacking(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"faces.{kind}"
    content = {
        "train/b.png": encoded(IMAGES[1]),
        "train/a.png": encoded(IMAGES[0]),
        "notes.txt": b"no picture",
        "c.bmp": encoded(IMAGES[2], "BMP"),
        "__MACOSX/a.png": b"litter",
    }
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, f"w:{kind.partition('.')[2]}") as tar:
            for name, data in content.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    read = pictures(path)
    assert [one.path for one in read] == [f"{path}::{n}" for n in [*list(content)[:2], "c.bmp"]]
    np.testing.assert_array_equal(crops(read), IMAGES[[1, 0, 2]])
    assert len(find_pictures([str(path)])) == 3
    assert [one.path for one in pictures(f"{path}::train")] == [one.path for one in read[:2]]
    assert [one.path for one in pictures(f"{path}::c.bmp")] == [read[2].path]
    with pytest.raises(DataError, match=r"the archive has no validation; name the archive alone"):
        pictures(f"{path}::validation")
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name]


def test_a_name_in_an_archive_that_is_not_utf8_has_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "faces.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        for name in ("café.png", "good.png"):
            info = tarfile.TarInfo(name)
            info.size = len(encoded(IMAGES[0]))
            tar.addfile(info, io.BytesIO(encoded(IMAGES[0])))
    good, bad = pictures(path)
    assert (good.path, good.problem) == (f"{path}::good.png", "")
    assert bad.path == f"{path}::caf\\udce9.png"
    assert "UTF-8" in bad.problem
    assert len(find_pictures([str(path), str(path)])) == 2


def test_pictures_of_an_archive_that_is_named_twice_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("faces.zip", "w") as archive:
        for number, name in enumerate(["train/a.png", "train/b.png", "c.png"]):
            archive.writestr(name, encoded(IMAGES[number]))
    inside = ["faces.zip::train/a.png", "faces.zip::train/b.png"]
    found = find_pictures(["faces.zip", "faces.zip::train", "./faces.zip"])
    assert sorted(names(found)) == ["faces.zip::c.png", *inside]
    assert len(found) == 3
    folder_first = find_pictures(["faces.zip::train", "faces.zip", "faces.zip::train/"])
    assert names(folder_first) == [*inside, "faces.zip::c.png"]


def test_a_damaged_archive_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.png", encoded(IMAGES[number]))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"faces.zip: .*damaged"):
        pictures(path)
    (tmp_path / "faces.tar.gz").write_bytes(b"\x1f\x8b" + bytes(40))
    with pytest.raises(DataError, match=r"faces.tar.gz: .*damaged"):
        pictures(tmp_path / "faces.tar.gz")
    (tmp_path / "faces.rar").write_bytes(b"Rar!\x1a\x07")
    with pytest.raises(DataError, match=r"faces.rar: a rar archive, .*unpack it"):
        pictures(tmp_path / "faces.rar")
    # One damaged picture does not hide the others.
    damaged = bytearray(whole)
    damaged[100:110] = bytes(10)
    path.write_bytes(bytes(damaged))
    assert [bool(one.problem) for one in pictures(path)] == [True, *[False] * 4]


def test_all_unusable_paths_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    write_folder(tmp_path, {"good.png": IMAGES[0], "clip.MP4": b"x", "fer2013.csv": b"x"})
    given = ["absent.png", "link", "good.png", "good.png/deeper", "x" * 300, "red\x1b[31m", "*.gif"]
    given += ["clip.MP4", "fer2013.csv"]
    paths = [*(str(tmp_path / name) for name in given), "https://user:key@host/a.jpg", ""]
    with pytest.raises(DataError) as caught:
        find_pictures(paths, "read it with --video")
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == len(paths) - 1
    for part in (
        "absent.png: no such file",
        "link: broken link",
        "good.png/deeper",
        "*.gif: no file matches",
        "clip.MP4: a video, not a picture; read it with --video",
        "fer2013.csv: a table, not a picture; `ferflow submit --data FILE`",
        "https://***@host/a.jpg: a URL; download it, then name the file",
        "got an empty one",
    ):
        assert part in problems
    assert "\x1b" not in str(caught.value)


def test_pictures_of_any_mode_and_size_become_grey_and_small(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 48 * 48).reshape(48, 48).astype(np.uint16)
    colours = Image.effect_noise((300, 200), 60).convert("RGB")
    kinds = {
        "rgba.png": (colours.convert("RGBA"), "PNG"),
        "deep.png": (ramp, "PNG"),
        "print.jpg": (colours.convert("CMYK"), "JPEG"),
        "large.bmp": (colours.resize((4000, 3000)), "BMP"),
        "wrong suffix.txt": (colours, "WEBP"),
    }
    data = {name: write_picture(tmp_path / name, *picture) for name, picture in kinds.items()}
    images = crops(pictures(*(tmp_path / name for name in kinds)))
    assert images.shape == (len(kinds), 48, 48)
    for image, content in zip(images, data.values(), strict=True):
        np.testing.assert_array_equal(image, decode_image(content))


def test_unreadable_files_have_a_reason(tmp_path: Path) -> None:
    write_folder(tmp_path, {"1.png": IMAGES[0], "2.png": b"no picture", "3.png": b""})
    os.mkfifo(tmp_path / "5.png")
    read = pictures(tmp_path)
    reasons = {Path(one.path).name: one.as_crop(THUMBNAIL) for one in read}
    np.testing.assert_array_equal(reasons["1.png"], IMAGES[0])
    assert "expected JPEG, PNG" in str(reasons["2.png"])
    assert "0 bytes" in str(reasons["3.png"])
    assert "pipe" in str(reasons["5.png"])


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a picture")))
    assert [one.data for one in pictures("-", "-")] == [b"a picture"]


def test_a_picture_of_a_phone_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO(encoded(IMAGES[0], "AVIF"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
    [picture] = pictures("-")
    assert picture.size == (48, 48)
