"""Run a plan within a budget: every training in a process of its own, some side by side.

A process that ends without a result is no reason to stop: the others go on, and the next call
trains it again, from its checkpoint.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fer_models.campaign.delivery import Delivery
from fer_models.campaign.pack import unpack_snapshot
from fer_models.campaign.plan import Task, read_plan, tasks_of
from fer_models.campaign.result import TrainingResult
from fer_models.campaign.training import Workplace
from fer_models.errors import ConfigError
from fer_models.processes import num_cores

OUT_OF_TIME = 75
"""Exit status of a training that stopped at its deadline."""
_GRACE_S = 20.0
_POLL_S = 0.2
_COMMAND = (sys.executable, "-m", "fer_models.campaign", "train")


@dataclass(frozen=True)
class RunOptions:
    """How a plan is run on this machine.

    `budget_s` is in seconds from the start of the call, `jobs` is the number of trainings side by
    side, `done` are keys of trainings that were finished elsewhere; `again` delivers what is in the
    work folder once more.
    """

    plan: str
    faces: Path
    work: Path
    out: Path
    budget_s: float | None = None
    jobs: int = 1
    done: frozenset[str] = frozenset()
    again: bool = False


@dataclass
class RunOutcome:
    """What a call did; names of trainings, in the order of their end."""

    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """The error at the end of its log, by name."""
    left: list[str] = field(default_factory=list)
    """Not finished, or not started."""
    without_weights: list[str] = field(default_factory=list)
    """Their weights had no room in the output folder; they stay in the work folder."""


@dataclass
class _Running:
    task: Task
    process: subprocess.Popen[bytes]


class CampaignRun:
    """One call of a campaign."""

    def __init__(
        self, options: RunOptions, say: Callable[[str], None], started_s: float | None = None
    ) -> None:
        """Read the plan and unpack the images; `say` gets a line for everything that happens.

        Raises:
            ConfigError: the plan is invalid.
            DataError: the packed faces are missing or damaged.
        """
        self._options = options
        self._say = say
        self.plan = read_plan(options.plan)
        self._workplace = Workplace(options.work)
        self._budget_s = self.plan.budget_s if options.budget_s is None else options.budget_s
        self._deadline_s = (started_s or time.time()) + self._budget_s
        self._delivery = Delivery(options.out)
        self._outcome = RunOutcome()
        self._running: list[_Running] = []

    def run(self) -> RunOutcome:
        """Train what is missing until the budget is used up, and deliver it."""
        with _locked(self._options.work), _ended_with_this_call(self._running):
            self._snapshot = unpack_snapshot(self._options.faces, self._workplace.store)
            pending = [task for task in self._required() if not self._is_done(task)]
            self._say(f"{len(pending)} trainings to do, {self._remaining_s():.0f} s left")
            if self._options.again:
                self._delivery.forget(self._workplace.results)
            self._deliver()
            while pending or self._running:
                self._start_some(pending)
                if not self._running:
                    break
                self._collect()
            self._outcome.left += [task.name for task in pending]
        return self._outcome

    def _required(self) -> list[Task]:
        """The tasks of the plan; a teacher that others still need is trained here, too."""
        tasks = {task.name: task for task in tasks_of(self.plan)}
        required = {n for n, task in tasks.items() if self._key(task) not in self._options.done}
        while before := {one.name for n in required for one in self._before(tasks[n])} - required:
            required |= before
        return [task for name, task in tasks.items() if name in required]

    def _before(self, task: Task) -> list[Task]:
        """The trainings whose networks a training needs: its teachers, the base of a final fit."""
        teachers = map(self.plan.experiment, task.experiment.member.trained_teachers)
        before = [Task(teacher, self.plan.seeds_of(teacher)[0]) for teacher in teachers]
        return [*before, Task(task.experiment, task.seed)] if task.is_final else before

    def _start_some(self, pending: list[Task]) -> None:
        """Start trainings that are ready and expected to end in time."""
        for task in list(pending):
            if len(self._running) >= self._options.jobs or self._remaining_s() <= 0:
                return
            if all(map(self._is_done, self._before(task))) and self._fits(task):
                pending.remove(task)
                self._start(task)

    def _start(self, task: Task) -> None:
        log = self._workplace.log(task)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*_COMMAND, *self._arguments(task)],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=self._environment(),
            )
        self._running.append(_Running(task, process))
        self._say(f"{task.name}: started, {self._remaining_s():.0f} s left")

    def _arguments(self, task: Task) -> list[str]:
        arguments = ["--plan", self._options.plan, "--work", str(self._options.work)]
        arguments += ["--snapshot", self._snapshot.id, "--experiment", task.experiment.name]
        arguments += ["--seed", str(task.seed), "--deadline", f"{self._deadline_s:.3f}"]
        return [*arguments, *(["--final"] if task.is_final else [])]

    def _environment(self) -> dict[str, str]:
        threads = str(max(1, num_cores() // self._options.jobs))
        cache = str(self._workplace.cache.absolute())
        return {"OMP_NUM_THREADS": threads, **os.environ, "XDG_CACHE_HOME": cache}

    def _collect(self) -> None:
        """Wait for the next process to end, or for the budget; deliver what it made."""
        while not any(one.process.poll() is not None for one in self._running):
            if self._remaining_s() < -_GRACE_S:
                _stop(self._running)  # hangs, or an epoch of minutes
            time.sleep(_POLL_S)
        for one in [one for one in self._running if one.process.poll() is not None]:
            self._running.remove(one)
            self._ended(one)

    def _ended(self, one: _Running) -> None:
        result, name = self._result(one.task), one.task.name
        if result is not None:
            self._outcome.finished.append(name)
            self._deliver()
            self._say(f"{name}: {summary(result)}")
        elif one.process.returncode == OUT_OF_TIME or self._remaining_s() < 0:
            self._outcome.left.append(name)
            work = self._options.work
            self._say(
                f"{name}: out of time; a call with --work {work} goes on after its last epoch"
            )
        else:
            reason = _reason(self._workplace.log(one.task))
            self._outcome.failed[name] = reason
            self._say(f"{name}: failed: {reason}")

    def _fits(self, task: Task) -> bool:
        """Whether a training may start: it ends in time, or would not fit into any call."""
        expected_s = self._expected_s(task)
        return expected_s < self._remaining_s() or expected_s >= self._budget_s

    def _expected_s(self, task: Task) -> float:
        """Seconds of the same experiment with other seeds on this machine; 0 if unknown."""
        seeds = self.plan.seeds_of(task.experiment)
        done = [self._result(Task(task.experiment, seed)) for seed in seeds]
        return max((result.train_seconds for result in done if result is not None), default=0.0)

    def _deliver(self) -> None:
        keep = {one.name for one in self.plan.experiments if one.keep_weights}
        left = self._delivery.deliver(self._workplace, keep)
        self._outcome.without_weights = [result.name for result in left]

    def _remaining_s(self) -> float:
        return self._deadline_s - time.time()

    def _key(self, task: Task) -> str:
        return task.key(self.plan, self._snapshot.id)

    def _result(self, task: Task) -> TrainingResult | None:
        return self._workplace.results.read(self._key(task))

    def _is_done(self, task: Task) -> bool:
        return self._result(task) is not None


def summary(result: TrainingResult) -> str:
    """Seconds and accuracy of a training, in one line."""
    seconds = f"{result.train_seconds:.0f} s of training, epoch {result.best_epoch} kept"
    scores = [f"{score.accuracy:.2%} ({tta})" for tta, score in result.scores.items()]
    return f"{seconds}; {', '.join(scores)}" if scores else seconds


@contextmanager
def _ended_with_this_call(running: list[_Running]) -> Iterator[None]:
    """End all trainings with this process, also when it is interrupted."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _stop(running)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _stop(running: list[_Running]) -> None:
    for one in running:
        one.process.terminate()
    for one in running:
        try:
            one.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()


def _reason(log: Path) -> str:
    """The error at the end of a log, else its last line."""
    text = log.read_text(errors="replace").strip()
    _, marked, error = text.rpartition("\nerror: ")
    lines = error.splitlines() if marked else text.splitlines()[-1:]
    return " ".join(line.strip() for line in lines) or f"nothing in {log}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other calls out of a work folder.

    Raises:
        ConfigError: another call uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"{folder}: another campaign is running in this folder; wait for it, or choose "
                "another --work"
            ) from error
        yield
