"""The Ray cluster of tuning and distributed training: an existing or a temporary local one.

Requests are checked first: Ray itself would wait forever for resources that no node has.
"""

import logging
import math
import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_models.cluster_address import cluster_address, require_answer
from fer_models.errors import ConfigError
from fer_models.processes import process_tag
from fer_models.ray_orphans import FOLDER_PREFIX, OWNER_VARIABLE, mark_folder, sweep_orphans
from fer_models.ray_start import start_ray
from fer_models.signals import signals_unwrapped

# Ray creates Unix sockets below its folder, and their paths are limited to about 100 bytes.
_MAX_FOLDER_LENGTH = 20
_ROUNDING = 1e-6
_GIB = 2**30
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    # By default Ray runs its workers at a lower priority than everything else.
    "RAY_worker_niceness": "0",
    # Maximum time until the loss of a worker is noticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Maximum progress of a search that is lost when its process is killed.
    "TUNE_GLOBAL_CHECKPOINT_S": "2",
    "TUNE_WARN_THRESHOLD_S": "60",
}


@dataclass(frozen=True)
class Demand:
    """Resources that a cluster must provide at the same time.

    `pieces` equal parts, each on one node, plus `more_cpus` cores on any nodes.
    """

    who: str
    """The owner of a part, such as `training face_cnn: a worker`."""
    remedy: str
    """What to do if the cluster is too small."""
    pieces: int
    cpus: float
    """Cores of each part."""
    gpus: float = 0.0
    """GPUs of each part."""
    more_cpus: float = 0.0
    object_bytes: int = 0
    """Size of the objects that are put into the object store."""
    memory_gib: float = 0.0
    """Main memory of each part."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """Custom resources of each part by name."""

    @property
    def text(self) -> str:
        """The resources of each part, such as `1 cores and 0 GPUs, 1 fast_disk`."""
        more = [f"{amount:g} {name}" for name, amount in self.resources.items()]
        memory = [f"{self.memory_gib:g} GiB"] if self.memory_gib else []
        return ", ".join([f"{self.cpus:g} cores and {self.gpus:g} GPUs", *memory, *more])

    @property
    def num_cpus(self) -> int:
        """Cores of a single machine that can run everything."""
        return math.ceil(self.pieces * self.cpus + self.more_cpus)


@contextmanager
def ray_cluster(demand: Demand) -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or start a local one and stop it after the block.

    A local cluster gets as many cores as requested, even if the machine has fewer. An existing
    connection is reused and left open. Threads share one connection; the last one closes it.

    Raises:
        ConfigError: the cluster does not answer, or its nodes are too small for the request.
        TrainingError: Ray can't be started or reached.
    """
    with _CONNECTION.shared(demand):
        require_room(demand, node_resources())
        with signals_unwrapped():
            yield


def per_connection(key: str, create: Callable[[], Any]) -> Any:
    """The object of this key, created once per connection to Ray (an actor, an object reference).

    Call it inside `ray_cluster`.
    """
    return _CONNECTION.object(key, create)


class _Connection:
    """The connection of this process to Ray, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_users = 0
        self._open = ExitStack()
        self._objects: dict[str, Any] = {}

    @contextmanager
    def shared(self, demand: Demand) -> Iterator[None]:
        with self._lock:
            if not self._num_users:
                self._open = _connected(demand)
            self._num_users += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_users -= 1
                if not self._num_users:
                    self._objects.clear()
                    self._open.close()

    def object(self, key: str, create: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._objects:
                self._objects[key] = create()
            return self._objects[key]


_CONNECTION = _Connection()


def _connected(demand: Demand) -> ExitStack:
    """Connect to Ray, or start it; closing the returned stack undoes it."""
    address = cluster_address()
    if address:
        require_answer(address)
    with ExitStack() as stack:
        sweep_orphans(Path(tempfile.gettempdir()))
        stack.enter_context(environment({**_ENVIRONMENT, OWNER_VARIABLE: process_tag()}))
        stack.enter_context(_quiet())
        import ray

        if not ray.is_initialized():
            folder = None if address else _short_folder(stack)
            if folder:  # for Ray's lock files, which would be left in the temporary folder
                stack.enter_context(environment({"RAY_TMPDIR": folder}))
            stack.callback(ray.shutdown)
            start_ray(demand.num_cpus, demand.object_bytes, folder)
        return stack.pop_all()


def num_gpus() -> float:
    """GPUs of the connected cluster."""
    return sum(node.get("GPU", 0.0) for node in node_resources())


def node_resources() -> list[dict[str, float]]:
    """Total resources of each live node of the cluster by name (`CPU`, `GPU`, ...)."""
    import ray

    alive: Any = ray
    return [node["Resources"] for node in alive.nodes() if node["Alive"]]


def require_room(demand: Demand, nodes: list[dict[str, float]]) -> None:
    """Reject a request that the nodes could never fulfil.

    Raises:
        ConfigError: with the request, the resources of the nodes, and the request's remedy.
    """
    fitting = sum(num_fitting(demand, node) for node in nodes)
    left = sum(node.get("CPU", 0.0) for node in nodes) - demand.pieces * demand.cpus
    if fitting >= demand.pieces and left >= demand.more_cpus - _ROUNDING:
        return
    have = ", ".join(_has(demand, node) for node in nodes)
    times = f"{demand.pieces} x " if demand.pieces > 1 else ""
    extra = f" plus {demand.more_cpus:g} cores" if demand.more_cpus else ""
    raise ConfigError(
        f"{demand.who} requests {times}{demand.text}{extra}; "
        f"the Ray nodes have (cores + GPUs): {have or 'none'}; {demand.remedy}"
    )


def _has(demand: Demand, node: dict[str, float]) -> str:
    """What a node has of the requested resources: cores + GPUs, then the others."""
    others = [f"{node.get(name, 0):g} {name}" for name in demand.resources]
    if demand.memory_gib:
        others.insert(0, f"{node.get('memory', 0) / _GIB:.1f} GiB")
    return ", ".join([f"{node.get('CPU', 0):g} + {node.get('GPU', 0):g}", *others])


def num_fitting(demand: Demand, node: Mapping[str, float]) -> int:
    """How many parts of the request an empty node can hold."""
    wanted = {
        "CPU": demand.cpus,
        "GPU": demand.gpus,
        "memory": demand.memory_gib * _GIB,
        **demand.resources,
    }
    return min(
        (
            math.floor(node.get(name, 0.0) / need + _ROUNDING)
            for name, need in wanted.items()
            if need
        ),
        default=demand.pieces,
    )


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the block, unless the user has set them already."""
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
        # Failed trials are reported with the outcome, without a page of Ray's own frames each.
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
