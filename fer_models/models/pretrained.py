"""Pretrained weights: found in the local cache, or fetched only when their hub can be reached.

timm's own download retries for about a minute without a network; here the answer takes seconds.
"""

import os
import threading
import urllib.error
import urllib.request
from typing import Any

from fer_models.errors import ConfigError

_TIMEOUT_S = 3.0
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def pretrained_options(name: str) -> dict[str, Any]:
    """Options that make `timm.create_model` load pretrained weights.

    Raises:
        ConfigError: there are none for this network, or they lie neither on this machine nor
            within reach.
    """
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    if config is None or not (config.hf_hub_id or config.url):
        raise ConfigError(
            f"network {name}: timm has no pretrained weights for it; set network.pretrained=false "
            f"or pick one of timm.list_pretrained({name.partition('_')[0] + '*'!r})"
        )
    cached = _cached_file(config.hf_hub_id) if config.hf_hub_id else None
    if cached:
        # Naming the file keeps timm from asking the hub whether it is still the newest.
        return {"pretrained": True, "pretrained_cfg_overlay": {"file": cached}}
    problem = hub_problem()
    if problem:
        raise ConfigError(
            f"network {name}: its pretrained weights ({config.hf_hub_id or config.url}) are not on "
            f"this machine and can't be fetched: {problem}; connect, or copy the Hugging Face "
            "cache of a machine that has them (HF_HOME), or set network.pretrained=false"
        )
    return {"pretrained": True}


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


def _cached_file(hub_id: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    for name in _WEIGHT_FILES:
        path = try_to_load_from_cache(hub_id, name)
        if isinstance(path, str):
            return path
    return None
