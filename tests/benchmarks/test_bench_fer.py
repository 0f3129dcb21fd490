import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tests.benchmarks.bench_fer as command
from fer_models.bundles.shipped import bundled_names
from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.errors import StoreError
from fer_models.inference.networks import load_bundled
from fer_models.labels import CLASS_NAMES
from fer_models.models.factory import count_parameters
from fer_models.models.names import SHIPPED
from fer_models.storage.store import ArtifactStore
from tests.benchmarks.bench_fer import bench_fer, main, write_results
from tests.benchmarks.peer_runners.protocol import SHORT_S, timed
from tests.benchmarks.results.entrants import Entrant, left_out, mean_of
from tests.benchmarks.results.environments import PeerMissingError
from tests.benchmarks.results.faces import (
    NO_COPIES,
    NO_NEAR_COPIES,
    OFFICIAL,
    LabelledFaces,
    read_faces,
)
from tests.benchmarks.results.left import error_kinds, label_noise, what_is_left
from tests.benchmarks.results.peers import RUNNERS, Peer, run_peer
from tests.benchmarks.results.scores import against, best_of, score_all
from tests.fer_models.builders import draw_faces

REAL = Path(__file__).parents[3] / "shared" / "data" / "fer2013_train_public.parquet"
NUM_TRAINING, NUM_TEST = 21, 28
RUNNER = """
import numpy as np
from protocol import Loaded, answer, in_batches


def load(options):
    import fakepeer

    if "broken" in options:
        raise OSError("no\\nweights")
    if "short" in options:
        return Loaded(lambda images: fakepeer.predict(images[1:]), fakepeer.NAMES, 42)
    predict = lambda images: fakepeer.predict(images)
    return Loaded(lambda images: in_batches(images, 5, predict), fakepeer.NAMES, 42)


if __name__ == "__main__":
    answer(load)
"""
PACKAGE = """
import numpy as np

NAMES = ["Contempt", "Happiness", "Anger", "Disgust", "Fear", "Sadness", "Surprise", "Neutral"]


def predict(images):
    probs = np.tile([0.5, 0.2, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05], (len(images), 1))
    return probs
"""


def write_table(path: Path, usages: Sequence[str], images: np.ndarray) -> None:
    rows = [
        f"{number % 7},{' '.join(map(str, image.ravel()))},{usage}"
        for number, (image, usage) in enumerate(zip(images, usages, strict=True))
    ]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER2013 in small: the first test image is a Training image, the second one a darker one."""
    images = draw_faces(np.arange(NUM_TRAINING + NUM_TEST) % 7, seed=3)
    images[NUM_TRAINING] = images[0]
    images[NUM_TRAINING + 1] = images[1] * 0.8
    path = tmp_path_factory.mktemp("table") / "fer2013.csv"
    write_table(path, ["Training"] * NUM_TRAINING + ["PublicTest"] * NUM_TEST, images)
    return path


@pytest.fixture
def faces(table: Path, store: ArtifactStore) -> LabelledFaces:
    return read_faces([str(table)], None, store)


def _fake_peer(folder: Path) -> Peer:
    """A package of one module as a wheel, its runner and its pinned requirements."""
    wheel = folder / "fakepeer-1.0-py3-none-any.whl"
    info = "fakepeer-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("fakepeer.py", PACKAGE)
        # numpy without an index: from the environment of the tests.
        file.writestr("fakepeer.pth", str(Path(np.__file__).parents[1]) + "\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fakepeer\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    (folder / "fakepeer.txt").write_text(f"fakepeer @ {wheel.as_uri()}\n")
    (folder / "run_fakepeer.py").write_text(RUNNER)
    (folder / "protocol.py").write_text((RUNNERS / "protocol.py").read_text("utf-8"))
    return Peer(
        "fake", "fakepeer", folder / "run_fakepeer.py", (), "fakepeer.predict", "", ("w.onnx",)
    )


def _entrant(name: str, answers: Sequence[int], *, is_peer: bool = False) -> Entrant:
    probs = np.full((len(answers), 7), 0.05)
    probs[np.arange(len(answers)), answers] = 0.7
    return Entrant(name, is_peer, probs, 10, 1, 2.0, 1.0, "by hand", "nothing")


def test_copies_and_near_copies_of_training_images_are_left_out(faces: LabelledFaces) -> None:
    assert faces.split == "PublicTest"
    assert faces.chose_epoch
    assert "optimistic" in faces.warning
    assert [int(mask.sum()) for mask in faces.sets.values()] == [28, 27, 26]
    assert not faces.sets[NO_COPIES][0]
    assert not faces.sets[NO_NEAR_COPIES][1]
    assert not faces.has_votes


def test_a_peer_runs_in_its_own_environment_and_order_of_classes(
    faces: LabelledFaces, tmp_path: Path
) -> None:
    peer, root = _fake_peer(tmp_path), tmp_path / "peers"
    found = run_peer(peer, faces.images, FER2013_CLASSES, root)
    assert found.is_peer
    assert found.parameters == 42
    assert found.probs_NK.shape == (NUM_TEST, 7)
    # Contempt is left out, the rest sums to 1.
    assert found.probs_NK[0].tolist() == pytest.approx([0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1])
    (environment,) = (root / "fakepeer").glob("environment-*")
    made = (environment / ".complete").stat().st_mtime_ns
    with pytest.raises(PeerMissingError, match=r"OSError: no weights\); put w\.onnx into .*home"):
        run_peer(replace(peer, options=("broken",)), faces.images, FER2013_CLASSES, root)
    with pytest.raises(PeerMissingError, match=r"answers \(28, 8\) for .* got \(27, 8\)"):
        run_peer(replace(peer, options=("short",)), faces.images, FER2013_CLASSES, root)
    assert (environment / ".complete").stat().st_mtime_ns == made
    (tmp_path / "fakepeer.txt").write_text(f"fakepeer @ {(tmp_path / 'absent.whl').as_uri()}\n")
    with pytest.raises(PeerMissingError, match="can't be installed: "):
        run_peer(peer, faces.images, FER2013_CLASSES, root)


def test_a_whole_run_lists_who_is_missing_and_writes_its_files(
    faces: LabelledFaces, tmp_path: Path
) -> None:
    lacking = replace(_fake_peer(tmp_path), package="absent")
    (tmp_path / "absent.txt").write_text(f"x @ {(tmp_path / 'absent.whl').as_uri()}\n")
    results = bench_fer(faces, ["fast"], peers=[lacking], root=tmp_path / "peers", command="make")
    names = [score.entrant.name.partition(",")[0] for score in results.scores]
    measured = [name for name in bundled_names() if name not in left_out("PublicTest")]
    assert names[:-1] == measured
    assert names[-1].startswith("mean of ")
    built = [load_bundled(f"bundled:{name}").parts for name in measured]
    counted = [score.entrant.parameters for score in results.scores[:-1]]
    assert counted == [sum(count_parameters(one.network) for one in parts) for parts in built]
    assert sum(score.to_best is None for score in results.scores) == 1
    write_results(results, tmp_path / "out")
    page = (tmp_path / "out" / "results.md").read_text("utf-8")
    assert "| fake " in page
    assert "* fake is not at hand: can't be installed" in page
    assert "FER+'s votes are not in the data" in page
    assert (tmp_path / "out" / "cost.png").read_bytes().startswith(b"\x89PNG")
    stored = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert stored["sets"] == {OFFICIAL: 28, NO_COPIES: 27, NO_NEAR_COPIES: 26}
    assert stored["not_at_hand"][0]["name"] == "fake"
    assert len(stored["models"]) == len(names)


def test_a_further_model_is_opened_before_anything_is_predicted(
    faces: LabelledFaces, store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "shipped_entrants", lambda *_: pytest.fail("too early"))
    with pytest.raises(StoreError, match="no id starts with 'absent'"):
        bench_fer(faces, ["fast"], [("absent", store)], (), root=tmp_path)


def test_a_further_model_stands_beside_the_shipped_ones(
    faces: LabelledFaces, store: ArtifactStore, tmp_path: Path
) -> None:
    model = str(SHIPPED / "face_cnn.json")
    results = bench_fer(faces, ["fast"], [(model, store)], (), root=tmp_path)
    *entrants, further = [score.entrant for score in results.scores]
    assert further.name == f"{model}, fast"
    (shipped,) = [one for one in entrants if one.name == "face_cnn, one view"]
    assert further.probs_NK == pytest.approx(shipped.probs_NK)


def test_scores_are_paired_with_the_best_and_with_others(faces: LabelledFaces) -> None:
    right = _entrant("right", faces.labels.tolist())
    wrong = _entrant("wrong", ((faces.labels + 1) % 7).tolist(), is_peer=True)
    assert best_of([wrong, right], faces) is right
    first, second = score_all([right, wrong], faces)
    assert first.shares[OFFICIAL].value == 1
    assert first.to_best is None
    assert second.to_best is not None
    assert second.to_best.difference == -1
    assert against(right, wrong, faces, NO_NEAR_COPIES).n == 26
    assert against(right, wrong, faces).p_value == pytest.approx(2 / 2**28)
    both = mean_of([right, wrong])
    assert both.probs_NK == pytest.approx((right.probs_NK + wrong.probs_NK) / 2)
    assert both.seconds == 4
    assert both.images_per_core_s == NUM_TEST / 2


def test_every_error_has_one_kind() -> None:
    labels, answers = np.array([0, 0, 0, 0, 1]), np.array([0, 1, 1, 2, 2])
    majority = np.array([1, 1, 0, 1, -1])
    kinds = error_kinds(answers, labels, majority)
    assert [mask.tolist().index(True) for mask in kinds.values()] == [1, 2, 3, 4]
    assert np.sum(list(kinds.values()), axis=0).tolist() == [0, 1, 1, 1, 1]


def test_label_noise_counts_the_crowd(faces: LabelledFaces) -> None:
    votes = np.zeros((NUM_TEST, 10), dtype=np.int64)
    votes[:, 1] = 10  # happiness
    happy = CLASS_NAMES.index("happy")
    voted = replace(faces, votes_NV=votes)
    entrant = _entrant("always happy", [happy] * NUM_TEST)
    noise = label_noise(entrant, voted)
    assert noise.label_is_majority.value == pytest.approx(1 / 7)
    assert noise.by_majority is not None
    assert noise.by_majority.value == 1
    assert noise.errors_of_sure_crowd is not None
    assert noise.errors_of_sure_crowd.value == 1
    left = what_is_left(entrant, voted)
    assert left.metrics.crowd is not None
    assert left.near_copies is not None
    assert left.near_copies.n == 2


def test_a_long_pass_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    timed(lambda images: calls.append(len(images)) or images, np.zeros(100))
    assert calls == [64, 100, 100, 100]
    clock = iter(np.arange(100) * SHORT_S)
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    calls.clear()
    assert timed(lambda images: calls.append(len(images)) or images, np.zeros(100)).seconds == 5
    assert calls == [64, 100]


@pytest.mark.real_data
@pytest.mark.slow
def test_the_copies_of_the_real_images_are_found(store: ArtifactStore) -> None:
    """The numbers of images that docs/results.md gives."""
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there")
    found = read_faces([str(REAL)], "PublicTest", store)
    assert [int(mask.sum()) for mask in found.sets.values()] == [3589, 3310, 2867]
    assert found.has_votes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "absent.csv"], "absent.csv, which does not exist"),
        (["--data", "TABLE", "--split", "PrivateTest"], r"it has Training (21), PublicTest (28)"),
        (["--data", "TABLE", "--cores", "0"], "--cores: expected 1 to"),
        (["--data", "TABLE", "--out", "TABLE"], "--out: expected a folder to write to"),
    ],
)
def test_wrong_input_ends_with_2_and_a_message(
    arguments: list[str],
    message: str,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(command, "bench_fer", None)
    assert main([str(table) if one == "TABLE" else one for one in arguments]) == 2
    assert message in capsys.readouterr().err
