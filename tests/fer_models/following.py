"""Follow the advice of a message: read the settings that it names, and apply them."""

import re
from collections.abc import Callable
from typing import TypeVar

import pytest

from fer_models.errors import FerError
from fer_models.training.config import MemberConfig
from fer_models.tuning.config import TuningConfig
from flows.recipes.assign import assign_all

T = TypeVar("T")
SETTING = re.compile(r"((?:training|network|tuning)\.[a-z_]+)=([\w-]+(?:\.\w+)?)")
_ANY = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)+=\w+")


def changed(member: MemberConfig, *assignments: str) -> MemberConfig:
    """The member after `--set` of these."""
    settings = {"members": [member.model_dump(mode="json")]}
    assert assign_all(settings, assignments, "--set") == []
    return MemberConfig.model_validate(settings["members"][0])


def advice(message: str) -> list[str]:
    """The settings that a message proposes: what follows its first "set" or "try"."""
    proposed = re.split(r"(?:; | )(?:set|try|use) ", message, maxsplit=1)[1]
    return [f"{name}={value}" for name, value in SETTING.findall(proposed)]


def assigned(message: str) -> list[str]:
    """All `group.setting=value` texts of a message, in its order."""
    return _ANY.findall(message)


def tuned(config: TuningConfig, *assignments: str) -> TuningConfig:
    """The search after `--set` of these."""
    settings = {"tuning": config.model_dump(mode="json")}
    assert assign_all(settings, assignments, "--set") == []
    return TuningConfig.model_validate(settings["tuning"])


def refusal(check: Callable[[T], object], config: T) -> str:
    """The message and the problems with which something is refused."""
    with pytest.raises(FerError) as caught:
        check(config)
    return "\n".join([caught.value.message, *caught.value.problems])
