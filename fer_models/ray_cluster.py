"""The Ray cluster that searches and trainings run on: an existing one, or one for their time only.

What is asked of it is told beforehand: Ray itself waits for ever for room that never comes.
"""

import logging
import math
import os
import shlex
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_models.errors import ConfigError, TrainingError
from fer_models.processes import process_tag
from fer_models.ray_orphans import FOLDER_PREFIX, OWNER_VARIABLE, mark_folder, sweep_orphans

_MIN_OBJECT_STORE_BYTES = 128 * 2**20
# Unix sockets lie below Ray's folder and their paths are limited to about 100 bytes.
_MAX_FOLDER_LENGTH = 20
_ROUNDING = 1e-6
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    # Ray would let its workers run after everything else on the machine.
    "RAY_worker_niceness": "0",
    # How long the loss of a worker may go unnoticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # How much of a search is lost at most when its process is killed.
    "TUNE_GLOBAL_CHECKPOINT_S": "2",
    "TUNE_WARN_THRESHOLD_S": "60",
}


@dataclass(frozen=True)
class Demand:
    """What has to find room on a cluster at the same time.

    `pieces` equal parts, each on one node, and beside them `more_cpus` cores on any node.
    """

    who: str
    """Whose they are, such as `training face_cnn: a worker`."""
    remedy: str
    """What to do where they do not fit."""
    pieces: int
    cpus: float
    """Cores of a piece."""
    gpus: float = 0.0
    """GPUs of a piece."""
    more_cpus: float = 0.0
    object_bytes: int = 0
    """Size of what is put into the object store."""

    @property
    def num_cpus(self) -> int:
        """Cores of a machine that holds all of it."""
        return math.ceil(self.pieces * self.cpus + self.more_cpus)


@contextmanager
def ray_cluster(demand: Demand) -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or start one here and stop it after the block.

    The one here gets as many cores as are asked for, also where the machine has fewer. A
    connection that was there before is used and left alone.

    Raises:
        ConfigError: the cluster's nodes have no room for what is asked.
        TrainingError: Ray can't be started or reached.
    """
    with ExitStack() as stack:
        sweep_orphans(Path(tempfile.gettempdir()))
        stack.enter_context(environment({**_ENVIRONMENT, OWNER_VARIABLE: process_tag()}))
        stack.enter_context(_quiet())
        import ray

        if not ray.is_initialized():
            folder = None if os.environ.get("RAY_ADDRESS") else _short_folder(stack)
            stack.callback(ray.shutdown)
            _start(demand, folder)
        require_room(demand, node_resources())
        yield


def num_gpus() -> float:
    """GPUs of the cluster that is connected."""
    return sum(node.get("GPU", 0.0) for node in node_resources())


def node_resources() -> list[dict[str, float]]:
    """What each living node of the cluster has, in use or not, by name (`CPU`, `GPU`, ...)."""
    import ray

    alive: Any = ray
    return [node["Resources"] for node in alive.nodes() if node["Alive"]]


def require_room(demand: Demand, nodes: list[dict[str, float]]) -> None:
    """Refuse what the nodes could never hold.

    Raises:
        ConfigError: with what was asked for, what there is, and the demand's remedy.
    """
    places = sum(_places(demand, node) for node in nodes)
    left = sum(node.get("CPU", 0.0) for node in nodes) - demand.pieces * demand.cpus
    if places >= demand.pieces and left >= demand.more_cpus - _ROUNDING:
        return
    have = ", ".join(f"{node.get('CPU', 0):g} + {node.get('GPU', 0):g}" for node in nodes)
    times = f"{demand.pieces} times " if demand.pieces > 1 else ""
    beside = f", and {demand.more_cpus:g} cores beside" if demand.more_cpus else ""
    raise ConfigError(
        f"{demand.who} asks for {times}{demand.cpus:g} cores and {demand.gpus:g} GPUs{beside}; "
        f"the Ray nodes have (cores + GPUs): {have or 'none'}; {demand.remedy}"
    )


def _places(demand: Demand, node: dict[str, float]) -> int:
    wanted = {"CPU": demand.cpus, "GPU": demand.gpus}
    return min(
        (
            math.floor(node.get(name, 0.0) / need + _ROUNDING)
            for name, need in wanted.items()
            if need
        ),
        default=demand.pieces,
    )


def _start(demand: Demand, folder: str | None) -> None:
    import ray

    from fer_models.processes import num_cores

    options: dict[str, Any] = {}
    if not os.environ.get("RAY_ADDRESS"):
        options = {
            "num_cpus": max(num_cores(), demand.num_cpus),
            "include_dashboard": False,
            "object_store_memory": max(_MIN_OBJECT_STORE_BYTES, 2 * demand.object_bytes),
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
            "runtime_env": _worker_environment(),
        }
    try:
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except Exception as error:
        where = os.environ.get("RAY_ADDRESS") or "this machine"
        raise TrainingError(
            f"Ray can't be used on {where}: {error}; check RAY_ADDRESS, memory and free space in "
            "the temporary folder, or do without: training.workers=1, tuning.enabled=false"
        ) from error


def _worker_environment() -> dict[str, str]:
    """Ray 2.60 starts its workers through bash with the interpreter's path as it stands."""
    quoted = shlex.quote(sys.executable)
    return {} if quoted == sys.executable else {"py_executable": quoted}


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the block and the processes it starts; the user's own win."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _short_folder(stack: ExitStack) -> str | None:
    base = tempfile.gettempdir()
    if len(base) > _MAX_FOLDER_LENGTH or " " in base:
        return None
    folder = tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=base)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    mark_folder(Path(folder))
    return folder


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("ray")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Failing trials are told with the outcome, not with a page of Ray's own frames each.
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
