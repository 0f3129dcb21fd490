"""Scenarios on one machine: commands that are killed and run again until they complete."""

import random
import shutil
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.check import check_store
from tests.deployments.processes import free_port, running_prefect_server
from tests.operation.served import on_this_machine
from tests.soak.figures import Episode
from tests.soak.place import ENDED_WITHIN_S, SEARCH, Command, Ended, Place

_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
_WORDS = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted"}
_MAX_KILLS = 10
_LINES = 36
"""Lines of progress that an uninterrupted run prints, about."""
_FILES = 128
"""Files that it writes to the store."""
_EPOCHS = 120
"""Of its longer training, which has 150."""
_AFTER_TRAINING = ("ensemble", "evaluate", "promote", "report")
_SEEDS = ("0", "1")
GC = ("store", "gc", "--delete", "--keep-days=0", "--keep-runs=1", "--min-age-h=0")


class Reference(ExitStack):
    """What unkilled runs give, by their options; each is run once.

    Their places stay until the end, for what other scenarios begin with.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[str, ...], dict[str, Any]] = {}
        self._first: Place | None = None
        self._filled: Place | None = None
        self._server: dict[str, str] | None = None
        self.temporary: set[str] = set()

    def place(self, environment: dict[str, str] | None = None) -> Place:
        """A new place; its Prefect server need not create its database."""
        self.of("--seed", _SEEDS[0])
        place = Place(environment)
        if self._first is not None:
            place.take_database(self._first)
        return place

    def server(self) -> dict[str, str]:
        """The address of a Prefect server that runs until the end: commands need not start one."""
        if self._server is None:
            folder = Path(self.enter_context(TemporaryDirectory(prefix="sp-", dir="/tmp")))
            url = self.enter_context(running_prefect_server(folder, free_port()))
            self._server = {"PREFECT_API_URL": url}
        return self._server

    def of(self, *options: str) -> dict[str, Any]:
        """The models with metrics and weights, the decision and the report."""
        if options not in self._known:
            place = self.enter_context(Place())
            if self._first is None:
                self._first = place
            else:
                place.take_database(self._first)
            ended = place.run("run", "--recipe", "soak.yaml", *options)
            assert ended.code == 0, ended.err
            self._known[options] = outcome(ended.produced)
            self.temporary |= set(place.temporary_files())
        return self._known[options]

    def filled(self) -> Place:
        """A place in which two runs were made, the same one with the same content each time."""
        if self._filled is None:
            place = self._filled = self.enter_context(self.place())
            for seed in _SEEDS:
                ended = place.run("run", "--recipe", "soak.yaml", "--seed", seed)
                assert ended.code in (0, 3), ended.err
            shutil.copytree(place.folder / "store", place.folder / "filled")
            # Without its champion, nothing needs the first run's artifacts.
            shutil.rmtree(place.folder / "filled" / "registry")
        store = self._filled.folder / "store"
        shutil.rmtree(store)
        shutil.copytree(self._filled.folder / "filled", store)
        return self._filled


def outcome(produced: Mapping[str, Any]) -> dict[str, Any]:
    """What must not depend on kills."""
    store = ArtifactStore(StoreConfig(url=produced["store"]))
    models = {model["id"]: model["splits"] for model in produced["models"]}
    files = {one: store.describe(store.ref(ModelRef, one, name="")).files for one in models}
    weights = {
        one: found["weights.safetensors"].sha256
        for one, found in files.items()
        if "weights.safetensors" in found
    }
    names = ("snapshot", "candidate", "champion", "promoted", "run")
    return {name: produced[name] for name in names} | {"models": models, "weights": weights}


def killed_run(draw: random.Random, reference: Reference, *options: str) -> Episode:
    """Kill a run a few times, by stage and in the middle of it, until it completes."""
    chosen = ("--seed", draw.choice(_SEEDS), *options)
    episode = Episode("search" if options else "run", int(chosen[1]))
    with reference.place(reference.server() if draw.random() < 0.2 else None) as place:
        arguments = ("run", "--recipe", "soak.yaml", *chosen)
        for _ in range(draw.randint(_MAX_KILLS // 2, _MAX_KILLS)):
            epochs, command = place.epochs(), place.start(*arguments)
            is_running = _at_random(draw, command, place)
            if is_running:
                kill(place, command, draw.choice(_SIGNALS), "run", episode)
                check_whole(place, episode)
            check_resumed(command, epochs, episode)
            if not is_running:
                break
        ended = completed(place, arguments, episode)
        if ended is not None:
            same(episode, outcome(ended.produced), reference.of(*chosen))
        check_end(place, episode, reference)
    return episode


def _at_random(draw: random.Random, command: Command, place: Place) -> bool:
    """Wait for a random line of progress, a random file in the store, or a random epoch."""
    way = draw.choice(["line", "file", "epoch"])
    if way == "line":
        return command.has_printed(draw.randint(0, _LINES), draw.random())
    if way == "epoch":
        return command.has_trained(place, draw.randint(1, _EPOCHS))
    missing = max(_FILES - place.num_stored_files(), 1)
    return command.has_changed(place, 1 + int(draw.random() * missing))


def killed_search(draw: random.Random, reference: Reference) -> Episode:
    """The same with a search on Ray in this machine."""
    return killed_run(draw, reference, *SEARCH)


def killed_collection(draw: random.Random, reference: Reference) -> Episode:
    """Kill a collection of the store; then a run makes what it collected."""
    episode = Episode("gc", 0)
    place = reference.filled()
    for _ in range(_MAX_KILLS // 2):
        command = place.start(*GC)
        if not command.has_changed(place, draw.randint(3, _FILES // 4)):
            break
        kill(place, command, draw.choice(_SIGNALS), "gc", episode)
        check_whole(place, episode)
    episode.require(episode.kills, "no collection was killed: there was nothing to collect")
    ended = place.run(*GC)
    episode.require(ended.code == 0, f"the last collection failed: {ended.err[-300:]}")
    check_whole(place, episode)
    run = completed(place, ("run", "--recipe", "soak.yaml", "--seed", _SEEDS[0]), episode)
    if run is not None:
        same_models(episode, outcome(run.produced), reference.of("--seed", _SEEDS[0]))
    check_end(place, episode, reference)
    return episode


def two_at_once(draw: random.Random, reference: Reference) -> Episode:
    """Two runs on one store; one is killed, and a collection runs beside them."""
    episode = Episode("two runs", 0)
    arguments = [("run", "--recipe", "soak.yaml", "--seed", seed) for seed in _SEEDS]
    with reference.place() as place:
        first, second = (place.start(*one) for one in arguments)
        if _at_random(draw, first, place):
            kill(place, first, draw.choice(_SIGNALS), "run", episode, alone=False)
        gc = place.run("store", "gc", "--delete", "--keep-days=0", "--keep-runs=0", "--min-age-h=0")
        is_early = "expected a store" in gc.err  # before either run has written anything
        episode.require(gc.code == 0 or is_early, f"the collection failed: {gc.err[-300:]}")
        ended = second.ended()
        episode.require(ended.code in (0, 3), f"the other run failed: {ended.err[-300:]}")
        if ended.code in (0, 3):
            same_models(episode, outcome(ended.produced), reference.of("--seed", "1"))
        again = completed(place, arguments[0], episode)
        if again is not None:
            same_models(episode, outcome(again.produced), reference.of("--seed", "0"))
        check_end(place, episode, reference)
    return episode


def kill(
    place: Place,
    command: Command,
    number: signal.Signals,
    target: str,
    episode: Episode,
    *,
    alone: bool = True,
) -> None:
    """Send the signal, and check how the command ends."""
    ended = command.signalled(number)
    stage = command.stage()
    episode.kills.append(f"{number.name} {target} at {stage}")
    episode.unfinished += place.unfinished_writes() > 0
    episode.attempts += 1
    if number is signal.SIGKILL or ended.completed:
        return
    # Before its first line, a command is still loading Python.
    if stage != "import":
        episode.stop_s.append(ended.seconds)
        said = _WORDS[number] in ended.err
        episode.require(ended.code == _CODES[number], f"{number.name}: exit code {ended.code}")
        episode.require(said, f"{number.name} at {stage}: no message: {ended.err[-200:]}")
        limit_s = on_this_machine(ENDED_WITHIN_S)
        episode.require(
            ended.seconds < limit_s,
            f"{number.name} at {stage}: ended after {ended.seconds:.1f} s, limit {limit_s:.0f}",
        )
        if alone:
            left = place.left_after(ENDED_WITHIN_S)
            episode.require(not left, f"{number.name} at {stage} left processes: {left}")


def same(episode: Episode, now: dict[str, Any], reference: dict[str, Any]) -> None:
    """Note what differs from the unkilled run."""
    for name, value in reference.items():
        episode.require(now[name] == value, f"other {name}: {now[name]} instead of {value}")


def same_models(episode: Episode, now: dict[str, Any], reference: dict[str, Any]) -> None:
    """A run that shares its store has the same models; who is champion depends on the order."""
    for name in ("snapshot", "models", "weights"):
        episode.require(now[name] == reference[name], f"other {name} than an unkilled run")


def completed(place: Place, arguments: tuple[str, ...], episode: Episode) -> Ended | None:
    """Run once more, undisturbed; it must complete, and continue what was begun."""
    epochs = place.epochs()
    ended = place.run(*arguments)
    episode.attempts += 1
    episode.could_resume += epochs > 0
    episode.resumed += ended.resumed
    episode.require(
        ended.resumed or not epochs, f"the training started anew, with a checkpoint of {epochs}"
    )
    episode.require(ended.code in (0, 3), f"exit code {ended.code}: {ended.err[-500:]}")
    return ended if ended.code in (0, 3) else None


def check_resumed(command: Command, epochs: int, episode: Episode) -> None:
    """If it found a checkpoint and came beyond the trainings, it continued from that."""
    has_resumed = "resumed after epoch" in command.err()
    if epochs and (has_resumed or command.stage() in _AFTER_TRAINING):
        episode.could_resume += 1
        episode.resumed += has_resumed
        episode.require(has_resumed, f"the training started anew, with a checkpoint of {epochs}")


def check_whole(place: Place, episode: Episode) -> None:
    """No half artifact, no alias to nothing, no record or latest output of something missing."""
    store = place.store()
    checked = check_store(store, deep=True)
    episode.require(not checked.damaged, f"half artifacts: {checked.damaged}")
    episode.require(not checked.lost_aliases, f"aliases to nothing: {checked.lost_aliases}")


def check_end(place: Place, episode: Episode, reference: Reference) -> None:
    """Nothing is left of the killed attempts: no process, no file, no half artifact."""
    check_whole(place, episode)
    left = place.left_after(30)
    episode.require(not left, f"processes are left: {left}")
    files = set(place.temporary_files()) - reference.temporary
    episode.require(not files, f"temporary files are left: {sorted(files)}")
