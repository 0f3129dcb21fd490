"""`ferflow predict` and `ferflow models export`, from files to files."""

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from deployments.cli import main
from fer_models.bundles import shipped as shipped_bundles
from fer_models.inference.results.table import COLUMNS
from fer_models.labels import CLASS_NAMES
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training.predict import predict_model
from tests.fer_models.faces.pictures import photo
from tests.fer_models.inference.builders import stored_ensemble, stored_network
from tests.fer_models.ingest.builders import random_images, write_folder

IMAGES = random_images(3)

PROBABILITIES = tuple(f"p_{name}" for name in CLASS_NAMES)


@dataclass(frozen=True)
class Place:
    """A store with two networks and their ensemble, a bundle, and a folder of pictures."""

    root: Path
    store: ArtifactStore
    models: dict[str, ModelRef]
    bundle: Path
    faces: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What the tests share and leave as it is."""
    root = tmp_path_factory.mktemp("predict here")
    store = ArtifactStore(StoreConfig(url=str(root / "store")))
    networks = [stored_network(store, seed) for seed in (0, 1)]
    ensemble = stored_ensemble(store, networks)
    Registry(store).set(CHAMPION, networks[1].id, "the test says so")
    faces = write_folder(root / "faces", {f"{i}.png": image for i, image in enumerate(IMAGES)})
    bundles = root / "bundles"
    arguments = ("models", "export", networks[0].id, str(bundles), "--name", "small")
    done = ferflow(*arguments, "--store", store.url, "--command", "ferflow run --seed 0")
    assert done.exit_code == 0, done.output
    models = {model.id: model for model in (*networks, ensemble)}
    return Place(root, store, models, bundles / "small.json", faces)


def ferflow(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def answer(result: Result) -> dict[str, Any]:
    """The JSON object on the last line."""
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def probabilities(file: Path) -> np.ndarray:
    return np.array([[float(row[f"p_{name}"]) for name in CLASS_NAMES] for row in rows(file)])


@pytest.fixture
def shipped(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the one of the shipped bundles; empty."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(shipped_bundles, "_SHIPPED", folder)
    return folder


def test_an_exported_bundle_predicts_what_its_model_does(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    done = ferflow("predict", str(place.faces), "--model", str(place.bundle), "--out", str(out))
    assert done.exit_code == 0, done.output
    assert [tuple(row) for row in rows(out)] == [COLUMNS + PROBABILITIES] * 3
    assert [row["path"] for row in rows(out)] == [f"{place.faces}/{i}.png" for i in range(3)]
    np.testing.assert_allclose(probabilities(out).sum(1), 1, atol=1e-5)
    expected = predict_model(place.store, place.models["small-0"], IMAGES)
    np.testing.assert_allclose(probabilities(out), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("name", "model_id"),
    [("small-0", "small-0"), ("ens", "ensemble-mean"), ("champion", "small-1")],
)
def test_stored_models_predict_what_the_library_does(
    place: Place, tmp_path: Path, name: str, model_id: str
) -> None:
    out = tmp_path / "out.csv"
    arguments = ("--model", name, "--store", place.store.url, "--out", str(out), "--json")
    done = ferflow("predict", str(place.faces), *arguments)
    assert answer(done)["model"] == model_id
    expected = predict_model(place.store, place.models[model_id], IMAGES)
    np.testing.assert_allclose(probabilities(out), expected, atol=1e-6)


def test_an_exported_ensemble_predicts_without_its_store(place: Place, tmp_path: Path) -> None:
    done = ferflow(
        "models", "export", "ens", str(tmp_path), "--name", "pair", "--store", place.store.url
    )
    assert done.exit_code == 0, done.output
    out = tmp_path / "out.csv"
    file = str(tmp_path / "pair.json")
    done = ferflow("predict", str(place.faces), "--model", file, "--out", str(out))
    assert done.exit_code == 0, done.output
    expected = predict_model(place.store, place.models["ensemble-mean"], IMAGES)
    np.testing.assert_allclose(probabilities(out), expected, atol=2e-3)


@pytest.mark.parametrize("arguments", [(), ("--model", "bundled"), ("--model", "bundled:small")])
def test_shipped_weights_are_found_by_name_and_by_default(
    place: Place, shipped: Path, arguments: tuple[str, ...]
) -> None:
    for file in place.bundle.parent.iterdir():
        shutil.copy(file, shipped)
    done = ferflow("predict", str(place.faces), *arguments, "--json")
    assert answer(done)["model"] == "bundled:small"


def test_json_tells_counts_and_what_was_skipped(place: Place, tmp_path: Path) -> None:
    write_folder(tmp_path / "more", {"broken.png": b"none"})
    out = tmp_path / "out.csv"
    paths = (str(place.faces), str(tmp_path / "more"))
    done = ferflow("predict", *paths, "--model", str(place.bundle), "--out", str(out), "--json")
    assert done.exit_code == 0
    said = answer(done)
    assert said["out"] == str(out)
    assert said["pictures"] == said["num_faces"] == 3
    assert list(said["counts"]) == sorted(CLASS_NAMES)
    assert sum(said["counts"].values()) == 3
    [skipped] = said["skipped"]
    assert skipped["path"] == str(tmp_path / "more" / "broken.png")
    assert "not a readable image" in skipped["reason"]
    assert "skipped 1 of 4" in done.stderr
    [*_, row] = rows(out)
    assert (row["path"], row["label"], row["p_happy"]) == (skipped["path"], "", "")
    assert row["reason"] == skipped["reason"]


def test_the_first_ten_skipped_pictures_are_told(place: Place, tmp_path: Path) -> None:
    write_folder(tmp_path / "broken", {f"{i:02}.png": b"none" for i in range(12)})
    paths = (str(tmp_path / "broken"), str(place.faces))
    stderr = ferflow("predict", *paths, "--model", str(place.bundle)).stderr
    assert "09.png: not a readable image" in stderr
    assert "10.png" not in stderr
    assert "and 2 more" in stderr


def test_without_a_file_a_short_table_is_printed(place: Place, tmp_path: Path) -> None:
    names = ["[red]1.png", *(f"{i:02}.png" for i in range(24)), "zz.png"]
    write_folder(tmp_path / "many", dict.fromkeys(names, IMAGES[0]))
    done = ferflow("predict", str(tmp_path / "many"), "--model", str(place.bundle))
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["label", "confidence", "picture"]
    assert lines[1].endswith("many/00.png")
    assert len(lines) == 22
    assert lines[-1] == "... and 6 more; use --out FILE.csv for all of them"
    done = ferflow("predict", str(tmp_path / "many" / names[0]), "--model", str(place.bundle))
    assert done.stdout.splitlines()[1].endswith("/[red]1.png")


def test_file_names_cannot_steer_the_terminal(place: Place, tmp_path: Path) -> None:
    write_folder(tmp_path, {"\x1b[31mred.png": IMAGES[0], "\x1b[31mbad.png": b"none"})
    done = ferflow("predict", str(tmp_path), "--model", str(place.bundle))
    assert "\x1b" not in done.output
    assert r"\x1b[31mred.png" in done.stdout
    assert r"\x1b[31mbad.png" in done.stderr


def test_formula_like_names_are_defused_and_kept(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, {"=1+1.png": IMAGES[0]})
    monkeypatch.chdir(tmp_path)
    done = ferflow("predict", "=1+1.png", "--model", str(place.bundle), "--out", "out.csv")
    assert done.exit_code == 0
    [row] = rows(Path("out.csv"))
    assert row["path"] == "./=1+1.png"
    assert Path(row["path"]).is_file()


def test_missing_folders_of_outputs_are_created(place: Place, tmp_path: Path) -> None:
    out, copies = tmp_path / "new" / "a" / "out.csv", tmp_path / "new" / "b" / "copies"
    arguments = ("--model", str(place.bundle), "--out", str(out), "--annotate", str(copies))
    done = ferflow("predict", str(place.faces), *arguments)
    assert done.exit_code == 0, done.output
    assert len(rows(out)) == len(list(copies.iterdir())) == len(IMAGES)


def test_export_tells_files_and_accuracy(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    arguments = ("models", "export", "champion", str(folder), "--store", place.store.url)
    said = answer(ferflow(*arguments, "--json"))
    assert said["model"] == said["name"] == "small-1"
    assert said["files"] == [str(folder / f"small-1{s}") for s in (".safetensors", ".json", ".md")]
    assert "## Intended Use" in (folder / "small-1.md").read_text()
    assert said["accuracy"]["validation"]["n"] == 42
    facts = json.loads((folder / "small-1.json").read_text())
    assert facts["weights_sha256"] == said["weights_sha256"]
    assert facts["command"] == ""
    assert json.loads(place.bundle.read_text())["command"] == "ferflow run --seed 0"


# -- wrong input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("absent.png", "", "gone/"), ["absent.png", "got an empty one", "gone"]),
        (("{faces}", "--out", "{root}"), ["it is a folder"]),
        (("{faces}", "--out", "out.xlsx"), ["out.xlsx", ".parquet", "--format"]),
        (("{faces}", "--annotate", "{faces}"), ["expected a new or empty folder"]),
        (("{faces}", "--annotate", "{root}/notes.txt/x"), ["notes.txt is a file, not a folder"]),
        (("*.nothing", "http://host/a.jpg"), ["no file matches", "download it"]),
        (("{faces}", "--out", "{root}/notes.txt/a/b.csv"), ["notes.txt is a file, not a folder"]),
        (("{root}/empty", "--out", "{root}/new/out.csv"), ["none of the pictures"]),
        (("{root}/notes.txt", "--annotate", "{root}/new/copies"), ["none of the pictures"]),
        (("{faces}", "--out", "{faces}/0.png"), ["the file name is that of a picture"]),
        (("{root}/empty",), ["none of the pictures", "the folder contains no pictures"]),
        (("{root}/notes.txt",), ["none of the pictures", "notes.txt"]),
        (("absent.png", "--out", "{root}", "--model", "x.json"), ["3 problems", "x.json"]),
        (("{faces}", "--model", "no.safetensors"), ["no.json", "in the same folder"]),
        (("{faces}", "--model", "bundled:"), ["expected a shipped bundle"]),
        (("{faces}", "--model", "bundled:best"), ["there are none", "'best'"]),
        (("{faces}", "--model", "bundled"), ["ships no weights", "ferflow models export"]),
        (("{faces}", "--model", ""), ["expected the id of a model"]),
        (("{faces}", "--model", "other"), ["no id starts with 'other'", "small-0"]),
        (("{faces}", "--model", "small"), ["2 ids start with 'small'"]),
        (("{faces}", "--model", "champion", "--store", "{root}/new"), ["no champion yet"]),
        (("{faces}", "--model", "m", "--store", "ftp://x"), ["ftp://x", "s3://"]),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_written(
    place: Place, shipped: Path, tmp_path: Path, arguments: tuple[str, ...], parts: list[str]
) -> None:
    (place.root / "empty").mkdir(exist_ok=True)
    (place.root / "notes.txt").write_text("no picture")
    options = {"--model": str(place.bundle), "--store": place.store.url}
    options["--out"] = str(tmp_path / "out.csv")
    given = [text.format(root=place.root, faces=place.faces) for text in arguments]
    for name, value in options.items():
        given += [] if name in given else [name, value]
    before = sorted(place.root.rglob("*"))
    done = ferflow("predict", *given, "--json")
    assert done.exit_code == 2, done.output
    for part in parts:
        assert part in done.stderr
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
    assert answer(done)["kind"].endswith("Error")
    assert sorted(place.root.rglob("*")) == before
    assert not (tmp_path / "out.csv").exists()


def test_no_picture_or_archive_is_overwritten(place: Place, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "faces"), "zip", place.faces)
    bare = str(shutil.copy(place.faces / "0.png", tmp_path / "bare"))
    (tmp_path / "link.png").symlink_to(bare)
    model = ("--model", str(place.bundle), "--format", "csv", "--out")
    for source, out in (
        (archive, archive),
        (f"{archive}::", archive),
        (bare, bare),
        (str(tmp_path / "*.png"), bare),
    ):
        before = Path(out).read_bytes()
        done = ferflow("predict", source, str(place.faces), *model, out)
        assert done.exit_code == 2, done.output
        assert f"--out {out}: this is a file to predict; choose another" in done.stderr
        assert Path(out).read_bytes() == before


def test_the_file_and_the_annotated_pictures_need_different_places(
    place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    for out in (tmp_path / "faces.csv", folder / "faces.csv"):
        annotated = folder if out.parent == folder else out
        given = ("--out", str(out), "--annotate", str(annotated), "--model", str(place.bundle))
        done = ferflow("predict", str(place.faces), *given)
        assert done.exit_code == 2, done.output
        assert f"--out {out}: this is also what --annotate writes" in done.stderr
        assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("other", "{root}/x"), ["no id starts with 'other'"]),
        (("small-0", "{root}/notes.txt"), ["expected a folder"]),
        (("small-0", "{root}/x", "--name", "No Name"), ["'No Name'", "--name"]),
        (("small-1", "{root}/bundles", "--name", "small"), ["with other weights exists"]),
        (("small-1", "{root}/" + "x" * 300), ["name too long"]),
        (("champion", "{root}/x", "--store", "{root}/new"), ["no champion yet"]),
    ],
)
def test_what_cannot_be_exported_is_one_message(
    place: Place, arguments: tuple[str, ...], parts: list[str]
) -> None:
    (place.root / "notes.txt").write_text("no bundle")
    given = [text.format(root=place.root) for text in arguments]
    given += [] if "--store" in given else ["--store", place.store.url]
    before = {path: path.stat().st_mtime_ns for path in place.root.rglob("*")}
    done = ferflow("models", "export", *given, "--json")
    assert done.exit_code == 2, done.output
    for part in parts:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in place.root.rglob("*")} == before


@pytest.mark.parametrize(
    "arguments", [("predict",), ("predict", "x", "--faces", "all"), ("models", "export", "id")]
)
def test_misuse_is_told_with_the_usage(arguments: tuple[str, ...]) -> None:
    done = ferflow(*arguments)
    assert done.exit_code == 2
    assert "Usage: " in done.stderr


@pytest.mark.parametrize("command", ["predict", "models export"])
def test_the_commands_explain_themselves(command: str) -> None:
    done = ferflow(*command.split(), "--help")
    assert done.exit_code == 0
    assert "ferflow predict" in done.output


def test_as_a_process_only_json_is_on_stdout(place: Place, tmp_path: Path) -> None:
    arguments = [str(place.faces), "--model", str(place.bundle), "--out", "out.csv", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "deployments", "predict", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["out"] == str(tmp_path / "out.csv")
    assert "3/3 pictures" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_the_smallest_face_is_an_option(place: Place, tmp_path: Path) -> None:
    Image.fromarray(photo((20, 40, 160), (240, 100, 80))).save(tmp_path / "photo.png")
    given = ["predict", str(tmp_path / "photo.png"), "--model", str(place.bundle), "--json"]
    assert answer(ferflow(*given))["num_faces"] == 2
    assert answer(ferflow(*given, "--min-face", "110"))["num_faces"] == 1
    refused = ferflow(*given, "--min-face", "9")
    assert refused.exit_code == 2
    assert "9 is not in the range x>=16" in refused.stderr


def test_an_imported_ensemble_comes_with_its_networks(place: Place, tmp_path: Path) -> None:
    ensemble = next(one for one in place.models.values() if one.kind == "ensemble")
    in_store = ("--store", place.store.url)
    ferflow("models", "export", ensemble.id, str(tmp_path), "--name", "pair", *in_store)
    snapshot_id = str(place.store.info(ensemble)["snapshot_id"])
    given = ("--snapshot", snapshot_id, *in_store)
    imported = ferflow("models", "import", str(tmp_path / "pair.json"), *given)
    assert imported.exit_code == 0, imported.output
    said = answer(ferflow("models", "import", str(tmp_path / "pair.json"), *given, "--json"))
    assert len(said["networks"]) == 2
    assert ", ".join(said["networks"]) in imported.stdout
    shown = ferflow("models", "show", said["model"], *in_store)
    assert "ensemble of 2" in shown.stdout


def test_an_imported_bundle_is_a_model_of_the_store(place: Place) -> None:
    network = next(iter(place.models.values()))
    snapshot_id = str(place.store.info(network)["snapshot_id"])
    given = ("--snapshot", snapshot_id[:12], "--store", place.store.url, "--json")
    said = answer(ferflow("models", "import", str(place.bundle), *given))
    assert said["snapshot"] == snapshot_id
    both = (network.id, said["model"], "--store", place.store.url, "--json")
    compared = answer(ferflow("models", "compare", *both))
    assert [part["overall"]["only_a_correct"] for part in compared["splits"]] == [0, 0]
    refused = ferflow("models", "import", "nothing.json", *given)
    assert refused.exit_code == 2
    assert "nothing.json" in refused.stderr
