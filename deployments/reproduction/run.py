"""Run the commands by which a shipped weight bundle is trained again."""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.reproduction.ways import MODEL, Way, recipe_path
from fer_models.errors import FerError
from fer_models.storage.config import StoreConfig
from fer_models.storage.latest import recall_if_any, remember
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

_BEFORE = ("ingest", "clean", "split")
_WEIGHTED = "ensemble-weighted-"


class StepError(FerError):
    """A command failed, and has said why."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Reproduction:
    """What to train again, and from what.

    Attributes:
        name: of the bundle.
        way: how.
        sources: paths of the data.
        store: folder or URL.
        out: folder that receives the bundle.
        seed: in place of the recipes'.
        assignments: changed settings of all steps.
        weights_dir: folder with weights of pretrained networks.
    """

    name: str
    way: Way
    sources: Sequence[str]
    store: str
    out: Path
    seed: int | None = None
    assignments: Sequence[str] = ()
    weights_dir: str | None = None

    def run(self, announce: Callable[[str], None]) -> dict[str, Any]:
        """Run all commands; the facts of the export, and `models`, ids by their names here.

        Args:
            announce: receives each command before it starts.

        Raises:
            StepError: a command failed; repeated, it continues there.
        """
        ids: dict[str, str] = {}
        facts: dict[str, Any] = {}
        done = _DoneModels(ArtifactStore(StoreConfig(url=self.store)))
        for result, arguments in self.commands(ids):
            line = f"ferflow {shlex.join(arguments)}"
            made = done.find(arguments) if result else None
            announce(f"{line}    # done before: {made}" if made else line)
            if made is None:
                facts = _facts_of(arguments)
                made = _model_id(facts) if result else None
                done.keep(arguments, facts, made)
            if made:
                ids[result] = made
        return {**facts, "models": ids}

    def commands(self, ids: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
        """Each command with the name of its result, `""` for none.

        Args:
            ids: models by name; read as the commands are taken, so it may be filled meanwhile.
        """
        data = [word for source in self.sources for word in ("--data", source)]
        for step in _BEFORE:
            arguments = ["task", step, "--recipe", recipe_path(self.way.recipe)]
            yield "", self._with_options(arguments + (data if step == _BEFORE[0] else []))
        for command in self.way.commands:
            yield (
                command.result,
                self._with_options(command.arguments(ids), loads_file=command.loads_file),
            )
        export = ["models", "export", ids[MODEL], str(self.out), "--name", self.name]
        again = ["ferflow", "models", "reproduce", self.name, *data, *self._settings()]
        if self.weights_dir is not None:
            again += ["--weights-dir", self.weights_dir]
        yield "", [*export, "--command", shlex.join(again), "--store", self.store]

    def _with_options(self, arguments: list[str], *, loads_file: bool = False) -> list[str]:
        added = ["--store", self.store]
        if arguments[0] == "task":
            added += self._settings()
        if loads_file and self.weights_dir is not None:
            added += ["--weights-dir", self.weights_dir]
        return arguments + added

    def _settings(self) -> list[str]:
        seed = [] if self.seed is None else ["--seed", str(self.seed)]
        return seed + [word for one in self.assignments for word in ("--set", one)]


class _DoneModels:
    """What the commands of an earlier, killed reproduction made, in the store.

    A model is found again by its command, with the ids in it, and by the snapshot of the data.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._snapshot = ""

    def find(self, arguments: Sequence[str]) -> str | None:
        """The id of the model that this command made, if it is still there."""
        model = recall_if_any(self._store, self._step(arguments), ModelRef)
        return model.id if model and self._store.exists(model) else None

    def keep(self, arguments: Sequence[str], facts: Mapping[str, Any], model: str | None) -> None:
        """Note what a command has returned."""
        if model is None:
            self._snapshot = str(facts.get("snapshot", self._snapshot))
        else:
            made = self._store.ref(ModelRef, model, name=model)
            remember(self._store, self._step(arguments), made)

    def _step(self, arguments: Sequence[str]) -> str:
        text = json.dumps([self._snapshot, *arguments])
        return f"reproduce-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _facts_of(arguments: Sequence[str]) -> dict[str, Any]:
    """Run a command in a process of its own, whose messages go to stderr."""
    line = [sys.executable, "-m", "deployments", *arguments, "--json"]
    done = subprocess.run(line, stdout=subprocess.PIPE, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise StepError(
            f"ferflow {shlex.join(arguments)} failed; repeat this command after the cause is "
            "removed, and it continues there",
            done.returncode,
        )
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def _model_id(facts: Mapping[str, Any]) -> str:
    """The model that a command made; of ensembles, that of weights."""
    if "models" in facts:
        return str(facts["models"][0]["id"])
    if "ensembles" in facts:
        return str(next(one for one in facts["ensembles"] if one.startswith(_WEIGHTED)))
    return str(facts.get("final_fit") or facts["model"])
