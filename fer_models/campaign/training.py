"""One training of a campaign: train, measure, write the result.

N validation images, K classes.
"""

import datetime as dt
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.plan import Task
from fer_models.campaign.result import (
    LABELS,
    VIEWS,
    ResultsFolder,
    Score,
    TrainingResult,
    write_text,
)
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import ConfigError, FerError, StoreError
from fer_models.evaluation.evaluate import is_leaked
from fer_models.evaluation.predictions import model_ref
from fer_models.lineage import machine_text
from fer_models.models.summary import summarize
from fer_models.progress import Progress, listening, report
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.final_fit import fit_final
from fer_models.training.inputs.data import split_images
from fer_models.training.predict import load_network, predict_probabilities
from fer_models.training.train import train_member

_UNTRACKED = TrackingConfig(mode="disabled")

Half = npt.NDArray[np.float16]


class OutOfTimeError(FerError):
    """The budget of the call is used up; the training resumes from its checkpoint."""


@dataclass(frozen=True)
class Workplace:
    """A campaign's folder on one machine: store, results, checkpoints, logs."""

    folder: Path

    @property
    def store(self) -> ArtifactStore:
        """Snapshot and models."""
        return ArtifactStore(StoreConfig(url=str(self.folder / "store")))

    @property
    def results(self) -> ResultsFolder:
        """What is finished on this machine."""
        return ResultsFolder(self.folder / "results")

    @property
    def cache(self) -> Path:
        """Checkpoints and the predictions of teachers."""
        return self.folder / "cache"

    def unmeasured(self, key: str) -> Path:
        """Names the stored network of a training until its result is written."""
        return self.folder / "unmeasured" / key

    def log(self, task: Task) -> Path:
        """What a training printed."""
        return self.folder / "logs" / f"{task.name.replace(', ', '-').replace(' ', '-')}.log"


def train_task(
    workplace: Workplace, plan: CampaignPlan, task: Task, snapshot: SnapshotRef, deadline_s: float
) -> TrainingResult:
    """Train one network and write its result.

    A call that was killed after the last epoch, while it predicted, is continued without training.

    Args:
        workplace: where snapshot, results and checkpoints are.
        plan: the plan of the task.
        task: what to train.
        snapshot: the images.
        deadline_s: time (as of `time.time`) after which no further epoch is trained.

    Raises:
        OutOfTimeError: the deadline has passed; the checkpoint is kept.
        ConfigError: a teacher is not trained, or the settings do not fit.
        TrainingError: the loss is not finite, or memory runs out.
    """
    store, key = workplace.store, task.key(plan, snapshot.id)
    with listening(_stopping_at(deadline_s)):
        model = _unmeasured(workplace, key) or _trained(workplace, plan, task, snapshot)
    unmeasured = workplace.unmeasured(key)
    unmeasured.parent.mkdir(parents=True, exist_ok=True)
    write_text(unmeasured, model.id)  # the checkpoint is gone
    opened = open_snapshot(store, snapshot)
    probs = {} if task.is_final else _probabilities(store, model, opened)
    scores = {tta: _score(opened, one) for tta, one in probs.items()}
    result = _result(store, task, key, model, scores)
    labels = opened.labels(opened.positions("validation")).astype(np.int16)
    workplace.results.write(result, {**probs, LABELS: labels} if probs else {})
    unmeasured.unlink()
    return result


def _unmeasured(workplace: Workplace, key: str) -> ModelRef | None:
    """The whole network that an earlier call stored and did not measure."""
    store = workplace.store
    try:
        model = model_ref(store, workplace.unmeasured(key).read_text(encoding="utf-8"))
    except (OSError, StoreError):
        return None
    if not store.is_whole(model):
        return None
    report("train", 0, note=f"{model.id}: trained before; measuring it")
    return model


def _trained(
    workplace: Workplace, plan: CampaignPlan, task: Task, snapshot: SnapshotRef
) -> ModelRef:
    store, member = workplace.store, task.experiment.member
    if task.is_final:
        return fit_final(store, _model_of(workplace, plan, task, snapshot), _UNTRACKED)
    teachers = [
        _model_of(workplace, plan, Task(teacher, plan.seeds_of(teacher)[0]), snapshot)
        for teacher in map(plan.experiment, member.trained_teachers)
    ]
    return train_member(store, snapshot, member, task.seed, _UNTRACKED, teachers)


def _model_of(
    workplace: Workplace, plan: CampaignPlan, task: Task, snapshot: SnapshotRef
) -> ModelRef:
    """The stored network of an experiment that was trained on this machine."""
    done = workplace.results.read(Task(task.experiment, task.seed).key(plan, snapshot.id))
    if done is None:
        raise ConfigError(
            f"expected the network of {task.experiment.name}, seed {task.seed}, in "
            f"{workplace.folder}; train it there first"
        )
    return model_ref(workplace.store, done.model_id)


def _stopping_at(deadline_s: float) -> Callable[[Progress], None]:
    """A listener that ends the training after an epoch: too late, or without its parent.

    Predictions after the last epoch go on.
    """
    parent = os.getppid()

    def on_progress(progress: Progress) -> None:
        print(f"{progress.amount} {progress.note}", flush=True)  # noqa: T201 - the log
        in_training = progress.stage == "train" and progress.unit == "epochs" and progress.done > 0
        if in_training and progress.done < progress.total and _must_stop(deadline_s, parent):
            raise OutOfTimeError(f"stopped after epoch {progress.done:.0f}")

    return on_progress


def _must_stop(deadline_s: float, parent: int) -> bool:
    return time.time() > deadline_s or os.getppid() != parent


def _probabilities(
    store: ArtifactStore, model: ModelRef, snapshot: DatasetSnapshot
) -> dict[str, Half]:
    network, preprocessing = load_network(store, model)
    images = split_images(snapshot, "validation").images
    probs: dict[str, Half] = {}
    for tta in VIEWS:
        preprocessing["tta"] = tta
        probs[tta] = predict_probabilities(network, preprocessing, images).astype(np.float16)
    return probs


def _score(snapshot: DatasetSnapshot, probs_NK: Half) -> Score:
    positions = snapshot.positions("validation")
    hits = probs_NK.argmax(1) == snapshot.labels(positions)
    unseen = ~is_leaked(snapshot, positions)
    return Score(
        correct=int(hits.sum()),
        n=len(hits),
        unseen_correct=int(hits[unseen].sum()),
        unseen_n=int(unseen.sum()),
    )


def _result(
    store: ArtifactStore, task: Task, key: str, model: ModelRef, scores: dict[str, Score]
) -> TrainingResult:
    info, lineage = store.info(model), store.read_json(model, "lineage.json")
    # As trained: the plan may leave the input to the images.
    member = MemberConfig.model_validate_json(store.read_file(model, "config.json"))
    return TrainingResult(
        key=key,
        experiment=task.experiment.name,
        seed=task.seed,
        is_final=task.is_final,
        scores=scores,
        model_id=model.id,
        snapshot_id=info["snapshot_id"],
        parameters=info["parameters"],
        multiply_adds=summarize(member.network).multiply_adds,
        epochs=member.training.epochs,
        best_epoch=info["best_epoch"],
        train_seconds=info["train_seconds"],
        machine=machine_text(lineage["machine"]),
        lineage=lineage,
        member=member.model_dump(mode="json"),
        finished=f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
