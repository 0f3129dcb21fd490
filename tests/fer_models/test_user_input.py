"""Paths and YAML that people write are read, or refused with a reason, whatever they hold."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fer_models.user_input import MAX_DEPTH, parse_yaml, user_path

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=_VALUES)
def test_plain_values_come_back(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value)) == value


@given(data=st.binary(max_size=200) | st.text(max_size=200))
def test_any_text_is_read_or_refused(data: bytes | str) -> None:
    with contextlib.suppress(ValueError):  # any other error fails
        parse_yaml(data)


def test_deep_nesting_is_refused() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 500, 5000):
        with pytest.raises(ValueError, match=f"nested deeper than {MAX_DEPTH} levels"):
            parse_yaml("[" * depth + "]" * depth)


def test_references_to_references_are_counted() -> None:
    lines = ["a0: &a0 [x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)
    ]
    with pytest.raises(ValueError, match="more than 100,000 values"):
        parse_yaml("\n".join(lines))


def test_huge_numbers_and_impossible_dates_are_refused() -> None:
    for text in ("a: " + "9" * 5000, "a: 2026-13-41"):
        with pytest.raises(ValueError, match="a value can't be read"):
            parse_yaml(text)


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/faces") == tmp_path / "faces"
    assert user_path("~no-such-user/faces") == Path("~no-such-user/faces")
