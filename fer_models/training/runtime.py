"""The machine a training runs on, and the torch state it borrows and gives back."""

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
# torch's generators and switches and Python's warning filters belong to the whole process: two
# trainings in threads would draw from each other's numbers.
_ONE_AT_A_TIME = threading.RLock()


def best_device() -> torch.device:
    """The first CUDA GPU, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def resolve_precision(config: TrainingConfig, device: torch.device) -> Precision:
    """Lightning's name of the arithmetic to train in.

    Raises:
        ConfigError: it is asked for by name and needs a GPU that is not there.
    """
    if config.precision == "16-mixed" and device.type != "cuda":
        raise ConfigError(
            "training.precision: 16-mixed needs a CUDA GPU and there is none; use auto, "
            "bf16-mixed or 32-true"
        )
    if config.precision != "auto":
        return config.precision
    return "bf16-mixed" if _has_bf16(device) else "32-true"


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without the instructions bf16 is emulated, slower than float32.
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def training_threads(wanted_threads: int | None = None) -> int:
    """Threads that torch computes with: as wanted, OMP_NUM_THREADS, or one less than the cores.

    The spare core is for the rest of the run (flow server, tracking). Threads that wait for each
    other on a busy machine cost far more than the core: on two cores shared with other work a
    small network learned 26 images/s with two threads and 360 with one. The number is fixed for a
    machine, not read from its load, because sums depend on it in their last digits.
    """
    if wanted_threads:
        return wanted_threads
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return max(1, num_cores() - 1)


@contextmanager
def limited_threads(wanted_threads: int | None = None) -> Iterator[None]:
    """Torch computes with `training_threads(wanted_threads)` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(training_threads(wanted_threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def training_runtime(seed: int, threads: int | None = None) -> Iterator[None]:
    """Seeded, deterministic torch and quiet Lightning inside the block, all put back after it."""
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
    # Some CUDA kernels have no deterministic form: use them rather than fail.
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
    """Let Ctrl-C stay Ctrl-C: Lightning would exit 1 and ignore the signal from then on."""
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
    """Tell an exhausted memory as a TrainingError that says what to make smaller."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        out_of_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not out_of_memory and "t allocate memory" not in text:
            raise
        batch_size = member.training.batch_size
        raise TrainingError(
            f"{member.name}: out of memory while training with batches of {batch_size} images of "
            f"{member.network.image_size_px} px; set training.batch_size={max(1, batch_size // 2)},"
            " a smaller network.image_size_px or network.width, or training.precision=bf16-mixed"
        ) from error
