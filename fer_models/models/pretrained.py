"""Pretrained weights: from a folder of the user's, the hub's cache, or the hub if it answers.

timm's own download retries for about a minute without a network; here the answer takes seconds.
"""

import functools
import hashlib
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.weights_folder import cached_file, find_weights

_TIMEOUT_S = 3.0
_MOST_NAMED = 3
Options = dict[str, Any]


def create_pretrained(config: NetworkConfig, create: Callable[[Options], nn.Module]) -> nn.Module:
    """The network with pretrained weights; its classifier stays random.

    timm adapts the weights: of the first layer to the number of channels (grey is the sum of red,
    green and blue), and position embeddings to the size.

    Args:
        config: which network, and where its weights are.
        create: makes the network, given further options of `timm.create_model`.

    Raises:
        ConfigError: there are none, they are out of reach, or they do not fit the network.
    """
    options = pretrained_options(config)
    try:
        network = create(options)
    except Exception as error:
        create({})  # raises what is wrong with the network itself, weights aside
        raise _misfit(config, options, str(error.__cause__ or error)) from error
    if config.weights_dir is not None:
        _require_loaded(config, network, functools.partial(create, options))
    return network


def pretrained_options(
    config: NetworkConfig, ask_hub: Callable[[], str | None] | None = None
) -> Options:
    """Options that make `timm.create_model` load pretrained weights.

    Args:
        config: which network, and where its weights are.
        ask_hub: tells why the hub is out of reach, or None; by default `hub_problem`.

    Raises:
        ConfigError: there are none for this network, or they lie neither on this machine nor
            within reach.
    """
    file = _local_file(config)
    if file is not None:
        # Naming the file keeps timm from asking the hub whether it is still the newest.
        return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}
    problem = (ask_hub or hub_problem)()
    if problem:
        raise ConfigError(
            f"network {config.name}: its pretrained weights ({_published(config.name)}) are not "
            f"on this machine and can't be fetched: {problem}; connect, or name a folder that has "
            "them (--weights-dir, network.weights_dir), or copy the Hugging Face cache of a "
            "machine that has them (HF_HOME), or set network.pretrained=false"
        )
    return {"pretrained": True}


def check_pretrained(configs: Iterable[NetworkConfig]) -> None:
    """Tell before anything is trained which pretrained weights can't be had.

    Raises:
        ConfigError: with everything that is missing.
    """
    problems = []
    ask_hub = functools.cache(hub_problem)  # it may take seconds not to answer
    for config in configs:
        try:
            if config.pretrained:
                pretrained_options(config, ask_hub)
        except ConfigError as error:
            problems.append(error.message)
    if problems:
        raise ConfigError("pretrained weights are missing:", problems)


def pretrained_fingerprint(config: NetworkConfig) -> str | None:
    """What tells the weights that a training starts from; None when they are random.

    Weights of a folder are told by their content (`sha256:<64 hex>`), wherever it lies; weights of
    the hub by their address there, which names one content (`hub:timm/resnet34.a1_in1k`).

    Raises:
        ConfigError: there are no such weights, or no such folder or file.
    """
    if not config.pretrained:
        return None
    if config.weights_dir is None:
        return f"hub:{_published(config.name)}"
    file = find_weights(config.weights_dir, config.name, published_weights(config.name)[0])
    status = file.stat()
    return f"sha256:{_sha256(file, status.st_size, status.st_mtime_ns)}"


def without_weights_dir(config: NetworkConfig) -> NetworkConfig:
    """The same network without the folder of its weights, which means nothing elsewhere."""
    return config.model_copy(update={"weights_dir": None})


def _local_file(config: NetworkConfig) -> Path | None:
    hub_id, _ = published_weights(config.name)
    if config.weights_dir is not None:
        return find_weights(config.weights_dir, config.name, hub_id)
    _published(config.name)
    return cached_file(hub_id) if hub_id else None


def published_weights(name: str) -> tuple[str | None, str | None]:
    """Hub id and address of timm's weights for this network, where there are any.

    Raises:
        ConfigError: the name has a tag (`resnet34.a1_in1k`) that timm does not know.
    """
    from timm.models import get_pretrained_cfg

    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        architecture = name.partition(".")[0]
        raise ConfigError(
            f"network {name}: {error} List its weights with: ferflow models list --timm "
            f"'{architecture}.*'"
        ) from error
    if config is None:
        return None, None
    return config.hf_hub_id or None, str(config.url) if config.url else None


def _published(name: str) -> str:
    hub_id, url = published_weights(name)
    address = hub_id or url
    if address:
        return address
    raise ConfigError(
        f"network {name}: timm has no pretrained weights for it; set network.pretrained=false, "
        "name a folder that has some (network.weights_dir), or pick one of "
        f"timm.list_pretrained({name.partition('_')[0] + '*'!r})"
    )


def _require_loaded(
    config: NetworkConfig, network: nn.Module, create_again: Callable[[], nn.Module]
) -> None:
    """Weights that the file lacks stay random, and so differ when the network is made twice.

    timm says nothing of them: it drops the classifier on purpose, and with it the strictness.
    """
    with torch.random.fork_rng(devices=[]):
        again = dict(create_again().named_parameters())
    heads = _classifiers(network)
    parameters = {
        name: value for name, value in network.named_parameters() if not name.startswith(heads)
    }
    absent = [name for name, value in parameters.items() if not torch.equal(value, again[name])]
    if absent:
        named = ", ".join(absent[:_MOST_NAMED]) + (", ..." if len(absent) > _MOST_NAMED else "")
        reason = f"{len(absent)} of the network's {len(parameters)} weights are not in it ({named})"
        raise _misfit(config, pretrained_options(config), reason)


def _classifiers(network: nn.Module) -> tuple[str, ...]:
    settings: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    names = settings.get("classifier") or ()
    return tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names))


def _misfit(config: NetworkConfig, options: Options, reason: str) -> ConfigError:
    source = options.get("pretrained_cfg_overlay", {}).get("file") or _published(config.name)
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return ConfigError(
        f"network {config.name}: the weights in {source} can't be loaded into it: "
        f"{' '.join(lines[:2])}; name weights that were saved from timm's {config.name}, or set "
        "network.pretrained=false to train from scratch"
    )


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hub_problem(timeout_s: float = _TIMEOUT_S) -> str | None:
    """Why the hub of pretrained weights can't be reached; None when it can.

    Never takes much longer than `timeout_s` seconds, whatever the network does.
    """
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            return f"{variable} is set"
    url = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    problems: list[str | None] = []
    # Resolving a name has no time limit of its own, so the question is put in a thread.
    asker = threading.Thread(
        target=lambda: problems.append(_ask(url, timeout_s)), daemon=True, name="hub-check"
    )
    asker.start()
    asker.join(timeout_s + 0.5)
    return problems[0] if problems else f"{url} did not answer within {timeout_s:g} s"


def _ask(url: str, timeout_s: float) -> str | None:
    if not url.startswith(("http://", "https://")):
        return f"HF_ENDPOINT {url!r} is no http(s) address"
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
            return None
    except urllib.error.HTTPError:
        return None  # it answered
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"{url}: {reason}"
