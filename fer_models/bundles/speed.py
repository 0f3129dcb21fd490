"""How many views of each face a prediction computes: fewer are faster, more are more accurate."""

from typing import Literal, get_args

Speed = Literal["fast", "balanced", "best"]
SPEEDS: tuple[Speed, ...] = get_args(Speed)
DEFAULT_SPEED: Speed = "balanced"
_MOST_VIEWS = {"fast": 1, "balanced": 2}


def views_at(speed: Speed, own_views: int) -> int:
    """Number of views: `fast` one, `balanced` with the mirror image, `best` the model's own.

    Never more than the model's own: those are what its accuracy was measured with.

    Example:
        views_at("balanced", 18)  # 2
    """
    return min(_MOST_VIEWS.get(speed, own_views), own_views)
