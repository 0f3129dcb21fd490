"""One criterion of the promotion gate, and the words for its figures."""

from pydantic import BaseModel, ConfigDict

NOTHING = "-"


class GateCriterion(BaseModel):
    """A criterion with its figure, in words that a person can read without the code."""

    model_config = ConfigDict(frozen=True)
    name: str
    figure: str
    """What was found, such as `68.4 %`."""
    limit: str
    """What was required, such as `at least 30 %`."""
    passed: bool
    text: str
    """The finding as a part of a sentence."""
    judged: bool = True
    """False: it is switched off, not needed, or there is nothing to judge by; it blocks nothing."""
    by_chance: bool = False
    """Passed although the figure is beyond the limit: chance explains that."""
    part_of: str = ""
    """The criterion that sums this one up; only that one can block a promotion."""
    value: float | None = None
    """The figure as a number; shares and differences of shares are -1..1."""
    low: float | None = None
    """Ends of the interval of the figure, where there is one."""
    high: float | None = None
    bound: float | None = None
    """The limit as a number."""

    @property
    def outcome(self) -> str:
        """`passed`, `failed` or `not judged`."""
        if not self.judged:
            return "not judged"
        return "passed" if self.passed else "failed"

    @property
    def blocks(self) -> bool:
        """Whether it alone prevents a promotion."""
        return self.judged and not self.passed and not self.part_of


def not_judged(name: str, limit: str, why: str, part_of: str = "") -> GateCriterion:
    """A criterion that is off, not needed, or can't be judged; `why` says which."""
    return GateCriterion(
        name=name,
        figure=NOTHING,
        limit=limit,
        passed=False,
        judged=False,
        part_of=part_of,
        text=f"not judged: {why}",
    )


def percent(share: float) -> str:
    """A share (0..1) in percent; two decimals tell apart accuracies that differ by few images."""
    return f"{_short(100 * share, 2)} %"


def points(difference: float) -> str:
    """A difference of shares (-1..1) in percentage points, one decimal."""
    return _short(100 * difference, 1)


def signed_points(difference: float) -> str:
    """The same with its sign: `+2.3 points`."""
    text = points(difference)
    return f"{'' if text.startswith('-') else '+'}{text} points"


def interval(low: float, high: float) -> str:
    """Two ends in percentage points: `0.9 to 3.7`."""
    return f"{points(low)} to {points(high)}"


def count(number: float) -> str:
    """A large number in short form: `15 M`, `3.9 k`."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"


def _short(number: float, decimals: int) -> str:
    text = f"{number:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
