"""`ferflow doctor`: checks of this machine and its services, with fixes for problems."""

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced
from deployments.cli.output import reporting_command as reporting
from deployments.environment import set_quiet_defaults
from fer_models.errors import FerError
from fer_models.lineage import package_version
from fer_models.redaction import without_credentials
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.mode import destination

_PACKAGES = (
    "prefect",
    "torch",
    "pytorch-lightning",
    "timm",
    "ray",
    "pandas",
    "great-expectations",
    "wandb",
    "s3fs",
)
_MIN_MEMORY_GIB = 4.0
_MIN_DISK_GIB = 2.0


@dataclass(frozen=True)
class Finding:
    """The result of one check. `level` is ok, note (works with limits) or problem (won't work)."""

    name: str
    level: str
    value: str
    advice: str = ""


@click.command(name="doctor")
@store_option
@reporting
def command(store_url: str | None) -> Produced:
    """Check versions, cores, GPUs, memory, disk, store, Prefect, wandb and pretrained weights.

    Suggests a fix for each problem. Exit code 2 if there is any.
    """
    set_quiet_defaults()
    findings = [
        _python(),
        _packages(),
        _cores(),
        _gpus(),
        _memory(),
        _disk(),
        _guarded("store", lambda: _store(store_url)),
        _prefect(),
        _wandb(),
        _weights(),
    ]
    signs = {"ok": ("✓", "green"), "note": ("•", "yellow"), "problem": ("✗", "red")}
    for finding in findings:
        sign, colour = signs[finding.level]
        click.echo(f"{click.style(sign, fg=colour)} {finding.name:10} {finding.value}")
        if finding.advice:
            click.echo(f"  {'':10} → {finding.advice}")
    problems = sum(finding.level == "problem" for finding in findings)
    click.echo(f"{problems} problem(s) found" if problems else "no problems found")
    return {
        "findings": [asdict(finding) for finding in findings],
        "problems": problems,
        "exit_code": 2 if problems else 0,
    }


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except FerError as error:
        return Finding(name, "problem", "not usable", str(error))


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")


def _packages() -> Finding:
    versions = {package: package_version(package) for package in _PACKAGES}
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        advice = f"missing: {', '.join(missing)}; run `make setup`"
        return Finding("packages", "problem", found, advice)
    return Finding("packages", "ok", found)


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    advice = "" if usable and usable > 1 else "training and tuning share one core and are slow"
    return Finding("cores", "ok" if not advice else "note", f"{usable}", advice)


def _gpus() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("gpus", "problem", "torch can't be imported", f"{error}; run `make setup`")
    if not torch.cuda.is_available():
        advice = "small networks train on the CPU; larger ones need a GPU"
        return Finding("gpus", "note", "none", advice)
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Finding("gpus", "ok", ", ".join(names))


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    value = f"{free:.1f} GiB free of {total:.1f} GiB"
    if free < _MIN_MEMORY_GIB:
        return Finding(
            "memory", "note", value, f"less than {_MIN_MEMORY_GIB:g} GiB: close other programs"
        )
    return Finding("memory", "ok", value)


def _disk() -> Finding:
    free = shutil.disk_usage(".").free / 2**30
    value = f"{free:.1f} GiB free in the current directory"
    if free < _MIN_DISK_GIB:
        return Finding(
            "disk", "problem", value, f"less than {_MIN_DISK_GIB:g} GiB: free disk space"
        )
    return Finding("disk", "ok", value)


def _store(store_url: str | None) -> Finding:
    store = open_store(store_url)
    store.check_writable()
    return Finding("store", "ok", f"{store.url} is readable and writable")


def _prefect() -> Finding:
    from prefect.settings import get_current_settings

    from deployments.server.process import answers

    url = get_current_settings().api.url
    if not url:
        advice = "each run starts a temporary one (10 to 20 s); `ferflow up` starts one with the UI"
        return Finding("prefect", "note", "no server configured", advice)
    shown = without_credentials(url)
    if answers(url, timeout_s=5):
        return Finding("prefect", "ok", f"{shown} is reachable")
    advice = "start it with `ferflow up`, or unset PREFECT_API_URL"
    return Finding("prefect", "problem", f"{shown}: no Prefect server answers", advice)


def _wandb() -> Finding:
    where = destination(TrackingConfig())
    if where.problem:
        return Finding("wandb", "problem", where.problem)
    if where.target == "online":
        advice = "`ferflow run --set tracking.mode=offline` keeps runs here"
        return Finding("wandb", "ok", f"runs go online ({where.reason})", advice)
    if where.target == "disabled":
        return Finding("wandb", "note", f"runs are not tracked ({where.reason})")
    advice = "log in with `wandb login`, or set WANDB_API_KEY, to track runs online"
    kept = f"runs are written to {TrackingConfig().folder} ({where.reason})"
    return Finding("wandb", "note", kept, advice)


def _weights() -> Finding:
    from fer_models.models.pretrained.timm_weights import hub_problem

    problem = hub_problem()
    if problem is None:
        return Finding("weights", "ok", "the hub of timm's pretrained weights is reachable")
    advice = (
        "networks train from random weights; network.pretrained=true needs the hub, or a folder "
        "with the weights (`ferflow run --weights-dir DIR`)"
    )
    return Finding("weights", "note", f"pretrained weights can't be downloaded: {problem}", advice)
