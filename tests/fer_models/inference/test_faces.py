"""Finding and decoding pictures."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.errors import DataError
from fer_models.inference.faces import find_pictures, printable, read_faces
from fer_models.ingest.files.image_decoding import decode_image
from tests.fer_models.inference.builders import write_picture
from tests.fer_models.ingest.builders import random_images, write_folder

IMAGES = random_images(5)


def test_folders_are_walked_in_order_without_hidden_files(tmp_path: Path) -> None:
    names = ["b/2.png", "b/1.png", "a.jpg", ".hidden.png", ".git/x.png", "Thumbs.db"]
    write_folder(tmp_path / "faces", dict.fromkeys(names, IMAGES[0]))
    found = find_pictures([str(tmp_path / "faces")])
    assert found.paths == tuple(f"{tmp_path}/faces/{name}" for name in ("a.jpg", *names[1::-1]))
    assert found.skipped == ()


def test_paths_stay_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "faces", {"x/1.png": IMAGES[0], "2.png": IMAGES[1]})
    monkeypatch.chdir(tmp_path)
    assert find_pictures(["faces", "faces/2.png"]).paths == ("faces/2.png", "faces/x/1.png")
    assert find_pictures(["."]).paths == ("faces/2.png", "faces/x/1.png")


def test_a_hidden_file_is_read_if_given(tmp_path: Path) -> None:
    write_folder(tmp_path, {".face.png": IMAGES[0]})
    assert len(find_pictures([str(tmp_path / ".face.png")]).paths) == 1


@pytest.mark.parametrize("name", [" ", "a b", "Gesicht \U0001f600 日本.png", "=1+1.png", "a\nb"])
def test_unusual_file_names_are_read(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, {name: IMAGES[0]})
    for given in (tmp_path, tmp_path / name):
        [faces] = read_faces(find_pictures([str(given)]).paths, 8)
        assert faces.paths == (str(tmp_path / name),)
        np.testing.assert_array_equal(faces.images, IMAGES[:1])


def test_a_file_name_that_is_not_utf8_is_skipped(tmp_path: Path) -> None:
    write_folder(tmp_path, {"good.png": IMAGES[0]})
    write_picture(tmp_path / os.fsdecode(b"bad\xff.png"), IMAGES[1])
    found = find_pictures([str(tmp_path)])
    assert found.paths == (str(tmp_path / "good.png"),)
    [skipped] = found.skipped
    assert "UTF-8" in skipped.reason
    assert printable(skipped.path).endswith(r"bad\udcff.png")


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    [skipped] = find_pictures([str(tmp_path)]).skipped
    assert (skipped.path, skipped.reason) == (str(tmp_path), "the folder contains no pictures")


def test_all_missing_paths_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    write_folder(tmp_path, {"good.png": IMAGES[0]})
    names = ["absent.png", "link", "good.png", "good.png/deeper", "x" * 300, "red\x1b[31m"]
    with pytest.raises(DataError) as caught:
        find_pictures([*(str(tmp_path / name) for name in names), ""])
    problems = caught.value.problems
    assert [any(name in problem for problem in problems) for name in names[:4]] == [True] * 4
    assert len(problems) == 6
    assert "broken link" in problems[1]
    assert "got an empty one" in problems[-1]
    assert "\x1b" not in str(caught.value)


def test_pictures_of_any_mode_and_size_become_grey_and_small(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 48 * 48).reshape(48, 48).astype(np.uint16)
    colours = Image.effect_noise((300, 200), 60).convert("RGB")
    pictures = {
        "rgba.png": (colours.convert("RGBA"), "PNG"),
        "deep.png": (ramp, "PNG"),
        "print.jpg": (colours.convert("CMYK"), "JPEG"),
        "large.bmp": (colours.resize((4000, 3000)), "BMP"),
        "wrong suffix.txt": (colours, "WEBP"),
    }
    data = {name: write_picture(tmp_path / name, *picture) for name, picture in pictures.items()}
    [faces] = read_faces([str(tmp_path / name) for name in pictures], 10)
    assert faces.skipped == ()
    assert faces.images.shape == (len(pictures), 48, 48)
    assert faces.images.dtype == np.uint8
    for image, content in zip(faces.images, data.values(), strict=True):
        np.testing.assert_array_equal(image, decode_image(content))


def test_unreadable_files_are_skipped_with_a_reason(tmp_path: Path) -> None:
    files = {"1.png": IMAGES[0], "2.png": b"no picture", "3.png": b"", "4.png": IMAGES[1]}
    write_folder(tmp_path, files)
    os.mkfifo(tmp_path / "5.png")
    [faces] = read_faces(find_pictures([str(tmp_path)]).paths, 10)
    assert [Path(path).name for path in faces.paths] == ["1.png", "4.png"]
    np.testing.assert_array_equal(faces.images, IMAGES[:2])
    reasons = {Path(one.path).name: one.reason for one in faces.skipped}
    assert "expected JPEG, PNG" in reasons["2.png"]
    assert "0 bytes" in reasons["3.png"]
    assert "pipe" in reasons["5.png"]


def test_batches_have_the_given_size(tmp_path: Path) -> None:
    write_folder(tmp_path, {f"{i:03}.png": IMAGES[i % 5] for i in range(75)})
    paths = find_pictures([str(tmp_path)]).paths
    batches = list(read_faces(paths, 40))
    assert [len(faces.paths) for faces in batches] == [40, 35]
    assert sum((faces.paths for faces in batches), ()) == paths
    images = np.concatenate([faces.images for faces in batches])
    np.testing.assert_array_equal(images, IMAGES[np.arange(75) % 5])
