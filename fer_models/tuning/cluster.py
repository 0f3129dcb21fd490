"""The Ray cluster that a search runs on: an existing one, or a small one for its time only."""

import logging
import os
import shlex
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fer_models.errors import ConfigError, TrainingError
from fer_models.processes import process_tag
from fer_models.training.runtime import num_cores
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.orphans import FOLDER_PREFIX, OWNER_VARIABLE, mark_folder, sweep_orphans

_OBJECT_STORE_BYTES = 128 * 2**20
# Unix sockets lie below Ray's folder and their paths are limited to about 100 bytes.
_MAX_FOLDER_LENGTH = 20
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # How much of a search is lost at most when its process is killed.
    "TUNE_GLOBAL_CHECKPOINT_S": "2",
    "TUNE_WARN_THRESHOLD_S": "60",
}


@contextmanager
def ray_cluster(config: TuningConfig) -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or start one here and stop it after the block.

    A connection that was there before is used and left alone.

    Raises:
        ConfigError: a trial asks for more cores or GPUs than there are.
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
            _start(config, folder)
        _require_resources(config)
        yield


def _start(config: TuningConfig, folder: str | None) -> None:
    import ray

    options: dict[str, Any] = {}
    if not os.environ.get("RAY_ADDRESS"):
        options = {
            # Fewer cores than a trial asks for would make it wait for ever.
            "num_cpus": max(num_cores(), config.cpus_per_trial),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
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
            "the temporary folder, or set tuning.enabled=false"
        ) from error


def _worker_environment() -> dict[str, str]:
    """Ray 2.60 starts its workers through bash with the interpreter's path as it stands."""
    quoted = shlex.quote(sys.executable)
    return {} if quoted == sys.executable else {"py_executable": quoted}


def _require_resources(config: TuningConfig) -> None:
    import ray

    alive: Any = ray
    nodes = [node["Resources"] for node in alive.nodes() if node["Alive"]]
    wanted = {"CPU": config.cpus_per_trial, "GPU": config.gpus_per_trial}
    if any(all(node.get(key, 0) >= need for key, need in wanted.items()) for node in nodes):
        return
    most = {key: max((node.get(key, 0) for node in nodes), default=0) for key in wanted}
    raise ConfigError(
        f"tuning: a trial asks for {config.cpus_per_trial} cores and {config.gpus_per_trial:g} "
        f"GPUs, the largest Ray node has {most['CPU']:g} and {most['GPU']:g}; lower "
        "tuning.cpus_per_trial or tuning.gpus_per_trial"
    )


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
