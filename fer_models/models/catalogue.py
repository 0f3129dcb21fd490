"""Catalogue of networks and the usual input of each."""

import difflib
from typing import Any

from pydantic import ValidationError

from fer_models.dataset.image_format import THUMBNAIL_PX
from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import OWN_NETWORKS
from fer_models.models.names import DLIB_NAME

# The pretrained networks of the origin project (Aryan-Garg/Fast-Facial-Expression-Recognition).
BASELINES = (
    "resnet34",
    "resnet50",
    "resnet101",
    "visformer_small",
    "vit_base_patch16_224",
    "vit_base_r50_s16_224",
    "vgg16_bn",
    "vgg19_bn",
)
_TIMM_INPUT = (3, 224, 224)
_DLIB_INPUT = (3, 150)
_MAX_PX = 512  # limit of NetworkConfig
_WILDCARDS = frozenset("*?[")


def usual_config(
    name: str,
    *,
    image_size_px: int | None = None,
    in_channels: int | None = None,
    width: float | None = None,
) -> NetworkConfig:
    """Config of a network at its usual input, or at the input given.

    The usual input is 48 px, grey, for our own networks, and the input of the
    published weights for dlib's and timm's (mostly 3 x 224 x 224, which also replaces sizes above
    512 px).

    Raises:
        ConfigError: lists all invalid values.
    """
    settings: dict[str, Any] = {"name": name, "in_channels": 1, "image_size_px": THUMBNAIL_PX}
    if name == DLIB_NAME:
        settings["in_channels"], settings["image_size_px"] = _DLIB_INPUT
    elif name not in OWN_NETWORKS:
        settings["in_channels"], side = _timm_input(name)
        settings["image_size_px"] = side if side <= _MAX_PX else _TIMM_INPUT[-1]
    given = {"image_size_px": image_size_px, "in_channels": in_channels, "width": width}
    settings |= {key: value for key, value in given.items() if value is not None}
    problems = []
    if width is not None and name not in OWN_NETWORKS:
        problems.append(
            f"width: only {', '.join(OWN_NETWORKS)} can be scaled, got {width:g} for {name}; "
            "leave it out"
        )
    try:
        config = NetworkConfig.model_validate(settings)
    except ValidationError as error:
        problems += [_describe(item) for item in error.errors()]
    if problems:
        raise ConfigError(f"network {name} can't be built with these settings:", problems)
    return config


def timm_names(pattern: str) -> list[str]:
    """Names of timm's networks that contain `pattern`, or match it if it has wildcards (* ? []).

    With a dot in the pattern the names include the tags of pretrained weights: `resnet34.*` gives
    `resnet34.a1_in1k` and others.

    Raises:
        ConfigError: no name matches; the message suggests similar names.
    """
    import timm

    wanted = pattern if _WILDCARDS & set(pattern) else f"*{pattern}*"
    names: list[str] = timm.list_models(wanted, pretrained="." in wanted)
    if not names:
        near = difflib.get_close_matches(pattern.strip("*"), timm.list_models(), n=5, cutoff=0.5)
        hint = f"similar names: {', '.join(near)}" if near else "there is no similar name"
        raise ConfigError(
            f"--timm: none of timm's {len(timm.list_models())} networks matches {pattern!r}; "
            f"{hint}. Use * for any text, as in '*resnet*'"
        )
    return names


def _timm_input(name: str) -> tuple[int, int]:
    from timm.models import get_pretrained_cfg

    try:
        published = get_pretrained_cfg(name)
    except RuntimeError:  # unknown weights: reported when the network is built
        published = None
    channels, height, width = (published and published.input_size) or _TIMM_INPUT
    return channels, max(height, width)


def _describe(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "settings"
    return f"{where}: {item['msg']}, got {item['input']!r}"
