import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from fer_models.errors import TrainingError
from fer_models.labels import CLASS_NAMES
from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.quality.config import ScoringConfig
from fer_models.quality.fold_worker import probabilities_file
from fer_models.quality.out_of_fold import out_of_fold_probabilities
from fer_models.training.config import TrainingConfig

TINY = ScoringConfig(
    folds=2,
    repeats=1,
    network=NetworkConfig(name="compact_cnn", width=0.25),
    training=TrainingConfig(epochs=2, batch_size=16, precision="32-true"),
)
LABELS = np.arange(36) % 3
FOLDS = np.where(np.arange(36) < 30, np.arange(36) % 2, -1)
REPEATS = FOLDS[None]
IMAGES = (
    LABELS[:, None, None] * 90 + np.random.default_rng(0).integers(0, 60, (36, 48, 48))
).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, Path, list[Progress]]:
    folder = tmp_path_factory.mktemp("folds")
    events: list[Progress] = []
    with listening(events.append):
        probabilities = out_of_fold_probabilities(
            IMAGES, LABELS, REPEATS, TINY, 3, folder, CLASS_NAMES, workers=2
        )
    return probabilities, folder, events


def test_rows_are_probabilities_and_progress_counts_epochs(
    trained: tuple[np.ndarray, Path, list[Progress]],
) -> None:
    probabilities, _, events = trained
    assert probabilities.shape == (36, 7)
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert (events[-1].done, events[-1].total, events[-1].unit) == (4, 4, "epochs")


def test_results_do_not_depend_on_the_number_of_workers(
    trained: tuple[np.ndarray, Path, list[Progress]], tmp_path: Path
) -> None:
    one = out_of_fold_probabilities(
        IMAGES, LABELS, REPEATS, TINY, 3, tmp_path, CLASS_NAMES, workers=1
    )
    assert np.array_equal(one, trained[0])


def test_finished_folds_are_not_trained_again(
    trained: tuple[np.ndarray, Path, list[Progress]],
) -> None:
    probabilities, folder, _ = trained
    before = [probabilities_file(folder, fold).stat().st_mtime_ns for fold in range(2)]
    again = out_of_fold_probabilities(IMAGES, LABELS, REPEATS, TINY, 3, folder, CLASS_NAMES)
    assert np.array_equal(again, probabilities)
    assert [probabilities_file(folder, fold).stat().st_mtime_ns for fold in range(2)] == before


def test_each_fold_is_predicted_by_the_network_trained_on_the_other_one(
    trained: tuple[np.ndarray, Path, list[Progress]],
) -> None:
    probabilities, folder, _ = trained
    first = np.load(probabilities_file(folder, 0))
    # Its rows: fold 0, then held-out images, in the order of the images.
    rows = np.flatnonzero((FOLDS == 0) | (FOLDS < 0))
    assert probabilities[FOLDS == 0] == pytest.approx(first[FOLDS[rows] == 0])
    second = np.load(probabilities_file(folder, 1))
    held_out = FOLDS[np.flatnonzero((FOLDS == 1) | (FOLDS < 0))] < 0
    mean = (first[FOLDS[rows] < 0] + second[held_out]) / 2
    assert probabilities[FOLDS < 0] == pytest.approx(mean)


def test_a_diverging_quick_model_names_the_setting_to_change(tmp_path: Path) -> None:
    wild = TINY.training.model_copy(
        update={"optimizer": "sgd", "learning_rate": 10.0, "gradient_clip": 0.0, "epochs": 40}
    )
    config = TINY.model_copy(update={"training": wild})
    with pytest.raises(TrainingError, match="quick model") as caught:
        out_of_fold_probabilities(
            IMAGES, LABELS, REPEATS, config, 0, tmp_path, CLASS_NAMES, workers=1
        )
    assert "scoring.training.learning_rate" in str(caught.value)


def test_workers_exit_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.fer_models.quality import test_out_of_fold as t\n"
        "long = t.TINY.training.model_copy(update={'epochs': 9999})\n"
        "t.out_of_fold_probabilities(t.IMAGES, t.LABELS, t.REPEATS,\n"
        "    t.TINY.model_copy(update={'training': long}), 0, Path(sys.argv[1]),\n"
        "    t.CLASS_NAMES, workers=1)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[3]
    )
    try:
        children = _children_within(parent.pid, 300)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    _, alive = psutil.wait_procs(children, timeout=120)
    assert children
    assert not alive


def _children_within(pid: int, seconds: float) -> list[psutil.Process]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        children = psutil.Process(pid).children()
        if children:
            return children
        time.sleep(0.2)
    return []
