"""Device, precision and threads of a training, and the global torch state it sets and restores."""

import functools
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch

from fer_models.errors import ConfigError, TrainingError
from fer_models.processes import num_cores
from fer_models.training.config import MemberConfig, TrainingConfig

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
_LIGHTNING_LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")
_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
# torch's generators and flags and Python's warning filters are global to the process: two trainings
# in threads would consume each other's random numbers.
_ONE_AT_A_TIME = threading.RLock()


def best_device() -> torch.device:
    """The first CUDA GPU, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def resolve_precision(config: TrainingConfig, device: torch.device) -> Precision:
    """Precision to train in, by Lightning's name.

    Raises:
        ConfigError: the configured precision needs a GPU and there is none.
    """
    if config.precision == "16-mixed" and device.type != "cuda":
        raise ConfigError(
            "training.precision: 16-mixed needs a CUDA GPU and there is none; use auto, "
            "bf16-mixed or 32-true"
        )
    if config.precision != "auto":
        return config.precision
    return "bf16-mixed" if has_bf16(device) else "32-true"


@functools.cache
def has_bf16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself, and so faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without these instructions it is emulated.
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def training_threads(wanted_threads: int | None = None) -> int:
    """Number of torch threads: as configured, else OMP_NUM_THREADS, else one less than the cores.

    The spare core is for the rest of the run (flow server, tracking). On a busy machine, threads
    that wait for each other cost far more than that core: on two cores shared with other work a
    small network trained at 26 images/s with two threads and at 360 with one. The number does not
    depend on the machine's load, because it changes sums in their last digits.
    """
    if wanted_threads:
        return wanted_threads
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return max(1, num_cores() - 1)


@contextmanager
def limited_threads(wanted_threads: int | None = None) -> Iterator[None]:
    """Run the block with `training_threads(wanted_threads)` torch threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(training_threads(wanted_threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def training_runtime(seed: int, threads: int | None = None) -> Iterator[None]:
    """Run the block with torch seeded and deterministic and Lightning quiet, then restore both."""
    with ExitStack() as stack:
        stack.enter_context(_ONE_AT_A_TIME)
        devices = [0] if torch.cuda.is_available() else []
        stack.enter_context(torch.random.fork_rng(devices=devices))
        torch.manual_seed(seed)
        stack.enter_context(limited_threads(threads))
        stack.enter_context(_deterministic())
        stack.enter_context(_quiet())
        stack.enter_context(_interruptible())
        yield


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    before_warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    before_fill = memory.fill_uninitialized_memory
    before_cublas = os.environ.get(_CUBLAS)
    if torch.cuda.is_available():
        os.environ[_CUBLAS] = ":4096:8"
    # Some CUDA operations have no deterministic kernel: warn (muted below) rather than fail.
    torch.use_deterministic_algorithms(mode=True, warn_only=torch.cuda.is_available())
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=before_warn_only)
        memory.fill_uninitialized_memory = before_fill
        if torch.cuda.is_available() and before_cublas is None:
            del os.environ[_CUBLAS]


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LIGHTNING_LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C: Lightning would exit 1 and ignore later signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from stop
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def reraise_oom(member: MemberConfig) -> Iterator[None]:
    """Turn an out-of-memory error into a TrainingError that says what to reduce."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        out_of_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not out_of_memory and "t allocate memory" not in text:
            raise
        batch_size = member.training.batch_size
        remedies = ["a smaller network.image_size_px or network.width"]
        if batch_size > 1:
            remedies.insert(0, f"training.batch_size={batch_size // 2}")
        if member.training.precision == "32-true":
            remedies.append("training.precision=bf16-mixed")
        raise TrainingError(
            f"{member.name}: out of memory while training with batches of {batch_size} images of "
            f"{member.network.side_px} px; set {', or '.join(remedies)}"
        ) from error
