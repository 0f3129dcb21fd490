"""What a training starts from: shipped weights, dlib's, and those for timm's networks."""

import functools
from collections.abc import Iterable

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.names import DLIB_NAME, OWN_NAMES


def check_pretrained(configs: Iterable[NetworkConfig]) -> None:
    """Check before training that all pretrained weights are available.

    Raises:
        ConfigError: lists all missing weights.
    """
    problems = []
    check_hub = None
    for config in configs:
        if not config.pretrained:
            continue
        try:
            if config.name in OWN_NAMES:
                from fer_models.models.pretrained.shipped import check_shipped

                check_shipped(config)
            elif config.name == DLIB_NAME:
                from fer_models.models.pretrained.dlib_weights import check_dlib

                check_dlib(config)
            else:
                from fer_models.models.pretrained import timm_weights

                # May take seconds to time out.
                check_hub = check_hub or functools.cache(timm_weights.hub_problem)
                timm_weights.pretrained_options(config, check_hub)
        except ConfigError as error:
            problems.append(error.message)
    if problems:
        raise ConfigError("pretrained weights are missing:", problems)


def pretrained_fingerprint(config: NetworkConfig) -> str | None:
    """Fingerprint of the weights that a training starts from; None for random weights.

    For a file it is the hash of the content (`sha256:<64 hex>`), wherever its folder is; for the
    hub it is the repository, whose content is fixed (`hub:timm/resnet34.a1_in1k`).

    Raises:
        ConfigError: the weights, the folder or the file do not exist.
    """
    if not config.pretrained:
        return None
    if config.name in OWN_NAMES:
        from fer_models.models.pretrained.shipped import shipped_fingerprint

        return shipped_fingerprint(config)
    if config.name == DLIB_NAME:
        from fer_models.models.pretrained.dlib_weights import dlib_fingerprint

        return dlib_fingerprint(config)
    from fer_models.models.pretrained.timm_weights import weights_fingerprint

    return weights_fingerprint(config)


def without_weights_dir(config: NetworkConfig) -> NetworkConfig:
    """The same config without the weights folder, which has no meaning on another machine."""
    return config.model_copy(update={"weights_dir": None})
