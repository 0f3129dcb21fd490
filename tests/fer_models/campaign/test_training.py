"""A training of a campaign that is killed after its last epoch is not trained again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fer_models.campaign.plan import Task
from fer_models.campaign.training import OutOfTimeError, Workplace, _stopping_at, train_task
from fer_models.progress import Progress, listening
from fer_models.storage.refs import ModelRef
from tests.fer_models.campaign.conftest import Campaign
from tests.fer_models.training.faces import write_faces

KILLED_WHILE_IT_PREDICTS = """
import os, signal, sys
from fer_models.campaign import training
from fer_models.campaign.__main__ import main

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

training.predict_probabilities = kill
sys.exit(main(sys.argv[1:]))
"""


def killed(campaign: Campaign, workplace: Workplace, task: Task) -> None:
    """Train a task in a process that is killed when the stored network predicts."""
    arguments = ["train", "--plan", str(campaign.plan_file), "--work", str(workplace.folder)]
    arguments += ["--snapshot", campaign.snapshot.id, "--experiment", task.experiment.name]
    arguments += ["--seed", str(task.seed), "--deadline", str(time.time() + 3600)]
    process = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_IT_PREDICTS, *arguments],
        env={**os.environ, "XDG_CACHE_HOME": str(workplace.cache)},
        check=False,
    )
    assert process.returncode == -signal.SIGKILL


def epochs_of(
    campaign: Campaign, workplace: Workplace, task: Task, deadline_s: float = float("inf")
) -> list[float]:
    """The epochs that are trained until the task has a result."""
    events: list[Progress] = []
    with pytest.MonkeyPatch.context() as patch, listening(events.append):
        patch.setenv("XDG_CACHE_HOME", str(workplace.cache))
        train_task(workplace, campaign.plan, task, campaign.snapshot, deadline_s)
    return [one.done for one in events if one.unit == "epochs" and "loss" in one.note]


@pytest.mark.timeout(900)
def test_a_training_killed_while_it_predicts_is_only_measured_by_the_next_call(
    campaign: Campaign, tmp_path: Path
) -> None:
    workplace, task = Workplace(tmp_path), Task(campaign.plan.experiments[0], 0)
    assert write_faces(workplace.store).id == campaign.snapshot.id
    killed(campaign, workplace, task)
    key = task.key(campaign.plan, campaign.snapshot.id)
    assert workplace.results.read(key) is None
    [model_id] = workplace.store.list_ids(ModelRef)
    # Even after the deadline: no epoch is left to be stopped.
    assert epochs_of(campaign, workplace, task, deadline_s=0.0) == []
    result = workplace.results.read(key)
    uninterrupted = campaign.workplace.results.read(key)
    assert result is not None
    assert uninterrupted is not None
    assert result.model_id == model_id == uninterrupted.model_id
    assert result.scores == uninterrupted.scores
    assert result.train_seconds > 0
    ours, theirs = (one.results.read_predictions(key) for one in (workplace, campaign.workplace))
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    # A result that is removed by hand is trained again.
    workplace.results.file(key).unlink()
    assert epochs_of(campaign, workplace, task) == [1, 2]


@pytest.mark.timeout(900)
def test_a_stored_network_that_is_damaged_is_trained_again(
    campaign: Campaign, tmp_path: Path
) -> None:
    workplace, task = Workplace(tmp_path), Task(campaign.plan.experiments[0], 0)
    write_faces(workplace.store)
    killed(campaign, workplace, task)
    [weights] = (tmp_path / "store").rglob("weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    assert epochs_of(campaign, workplace, task) == [1, 2]


def test_only_epochs_are_stopped_at_the_deadline() -> None:
    listener = _stopping_at(0.0)
    listener(Progress("train", 64, 3589, "images", "small: predicting the validation images"))
    listener(Progress("train", 2, 2, "epochs", "small: the last one"))
    with pytest.raises(OutOfTimeError, match="stopped after epoch 1"):
        listener(Progress("train", 1, 2, "epochs", "small: loss"))
