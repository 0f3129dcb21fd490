"""How each shipped weight bundle was trained, as `ferflow` commands in order."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

MODEL = "model"
_SOUP_RECIPE = "soup.yaml"


@dataclass(frozen=True)
class Command:
    """A command of `ferflow` that makes or fetches a model.

    Attributes:
        result: what its model is called in later commands; `MODEL` is the one to ship.
        template: the command; `{name}` is the id of an earlier result.
        loads_file: whether it starts from a file of weights, and so takes `--weights-dir`.
    """

    result: str
    template: str
    loads_file: bool = False

    def arguments(self, ids: Mapping[str, str]) -> list[str]:
        """The words after `ferflow`, with the ids of earlier results."""
        return [recipe_path(word.format_map(ids)) for word in shlex.split(self.template)]


@dataclass(frozen=True)
class Way:
    """The recipe of the data, and the commands after its split."""

    recipe: str
    commands: tuple[Command, ...]


_SOUP = (
    Command("large", "models import bundled:face_cnn_large"),
    Command("taught", f"task train --recipe {_SOUP_RECIPE} --member taught"),
    Command("further", f"task train --recipe {_SOUP_RECIPE} --member further --initial {{large}}"),
    Command("soup", "models average {large} {taught} {further} --name face_cnn_soup"),
)
_SMALL = Command("small", "task train --recipe fer2013-small")
_LITE = Command("lite", "task train --recipe fer2013-lite0", loads_file=True)
_ENSEMBLE = Command("ensemble", "task ensemble --model {soup} --model {small} --model {lite}")


def recipe_path(word: str) -> str:
    """The path of the recipe in this folder; other words are returned as they are."""
    return str(Path(__file__).with_name(_SOUP_RECIPE)) if word == _SOUP_RECIPE else word


def _final(result: str, *, loads_file: bool = False) -> Command:
    return Command("final", f"task final-fit --model {{{result}}}", loads_file)


def _way(recipe: str, *commands: Command) -> Way:
    """The result of the last command is the model to ship."""
    *others, last = commands
    return Way(recipe, (*others, replace(last, result=MODEL)))


WAYS: Mapping[str, Way] = {
    "efficientnet_lite0": _way("fer2013-lite0", _LITE),
    "face_cnn": _way("fer2013-single", Command("single", "task train --recipe fer2013-single")),
    "face_cnn_final": _way(_SOUP_RECIPE, *_SOUP, _final("soup")),
    "face_cnn_large": _way(
        "fer2013-ensemble",
        Command("large", "task train --recipe fer2013-ensemble --member face_cnn_far"),
    ),
    "face_cnn_small": _way("fer2013-small", _SMALL),
    "face_cnn_small_final": _way("fer2013-small", _SMALL, _final("small")),
    "face_cnn_soup": _way(_SOUP_RECIPE, *_SOUP),
    "face_ensemble": _way(
        "fer2013-lite0",
        Command("soup", "models import bundled:face_cnn_soup"),
        Command("small", "models import bundled:face_cnn_small"),
        _LITE,
        _ENSEMBLE,
    ),
    "face_ensemble_final": _way(
        "fer2013-lite0", *_SOUP, _SMALL, _LITE, _ENSEMBLE, _final("ensemble", loads_file=True)
    ),
}
"""By the name of the bundle."""
