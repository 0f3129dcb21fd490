"""The search space: tunable fields, drawn settings, and members with a setting applied.

Latin hypercube settings are drawn here rather than by Ray Tune, so a seed gives the same settings
with every version of Ray. T trials, D dimensions.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from fer_models.errors import ConfigError
from fer_models.training.config import MemberConfig
from fer_models.tuning.config import SearchDimension

Value = float | int | str | bool
Setting = dict[str, Value]
_SIGNIFICANT_DIGITS = 4
# The search sets epochs and threads itself; the name identifies the member; trials are evaluated
# without TTA.
_NOT_TUNABLE = frozenset({"name", "seed_offset", "tta", "training.epochs", "training.threads"})


def tunable_fields() -> tuple[str, ...]:
    """All fields that a search dimension may name, such as `training.learning_rate`."""
    return tuple(path for path in _leaves(MemberConfig, "") if path not in _NOT_TUNABLE)


def check_space(member: MemberConfig, space: Sequence[SearchDimension]) -> None:
    """Reject dimensions with an unknown field, or with values that the field does not accept.

    Raises:
        ConfigError: all problems together, with the valid fields.
    """
    problems = []
    valid = tunable_fields()
    fields = [dimension.field for dimension in space]
    problems += [
        f"{field}: listed more than once"
        for field in sorted(set(fields))
        if fields.count(field) > 1
    ]
    for dimension in space:
        if dimension.field not in valid:
            problems.append(f"{dimension.field}: unknown field; valid are {', '.join(valid)}")
            continue
        problems += _value_problems(member, dimension)
    if problems:
        raise ConfigError("tuning.search_space is not valid", problems)


def draw_settings(space: Sequence[SearchDimension], num_trials: int, seed: int) -> list[Setting]:
    """T settings from a Latin hypercube: each dimension is sampled once in every T-th of its range.

    With few trials this covers a range better than independent draws. Source: McKay, Beckman and
    Conover 1979.

    Example:
        settings = draw_settings(TuningConfig().search_space, num_trials=4, seed=0)
    """
    if not space:
        return [{} for _ in range(num_trials)]
    from scipy.stats import qmc

    points_TD = qmc.LatinHypercube(len(space), rng=seed).random(num_trials)
    return [
        {
            dimension.field: _value(dimension, float(u))
            for dimension, u in zip(space, row, strict=True)
        }
        for row in points_TD
    ]


def apply_setting(member: MemberConfig, setting: Mapping[str, Value]) -> MemberConfig:
    """A validated copy of the member with the values of the setting.

    Raises:
        ConfigError: a field is unknown, or does not accept its value.

    Example:
        tuned = apply_setting(member, {"training.learning_rate": 3e-3})
    """
    values = member.model_dump()
    valid = tunable_fields()
    unknown = sorted(set(setting) - set(valid))
    if unknown:
        raise ConfigError(
            f"member {member.name}: expected fields among {', '.join(valid)}; "
            f"got {', '.join(unknown)}"
        )
    for path, value in setting.items():
        *parents, leaf = path.split(".")
        node = values
        for parent in parents:
            node = node[parent]
        node[leaf] = value
    try:
        return MemberConfig.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}, "
            f"got {detail['input']!r}"
            for detail in error.errors()
        ]
        raise ConfigError(f"member {member.name}: invalid values", problems) from error


def _value(dimension: SearchDimension, u: float) -> Value:
    """The value at quantile `u` (0 <= u < 1) of the dimension."""
    if dimension.kind == "choice":
        return dimension.choices[int(u * len(dimension.choices))]
    assert dimension.low is not None
    assert dimension.high is not None
    low, high = dimension.low, dimension.high
    if dimension.kind == "integer":
        first, last = math.ceil(low), math.floor(high)
        return first + int(u * (last - first + 1))
    if dimension.kind == "log_uniform":
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    else:
        value = low + u * (high - low)
    return min(high, max(low, rounded(value)))


def rounded(value: float) -> float:
    """Four significant digits: more would only hide which settings are similar."""
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")


def _value_problems(member: MemberConfig, dimension: SearchDimension) -> list[str]:
    checked: tuple[Any, ...] = dimension.choices
    if dimension.kind == "integer":
        assert dimension.low is not None
        assert dimension.high is not None
        if math.ceil(dimension.low) > math.floor(dimension.high):
            return [f"{dimension.field}: no integer in {dimension.low}..{dimension.high}"]
        checked = (math.ceil(dimension.low), math.floor(dimension.high))
    elif dimension.kind != "choice":
        checked = (dimension.low, dimension.high)
    problems: list[str] = []
    for value in checked:
        try:
            apply_setting(member, {dimension.field: value})
        except ConfigError as error:
            problems += error.problems
    return problems


def _leaves(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _leaves(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
