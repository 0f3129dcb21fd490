"""Row conditions select what pandas selects, and anything but comparisons is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.suites.row_condition import MAX_COMPARISONS, MAX_LENGTH, parse_row_condition

COLUMNS = ("split", "mean", "label", "is_copy")
TABLE = pd.DataFrame(
    {
        "split": ["train", "train", "test", "validation", "it's", 'say "a"', "@x", "a\\b"],
        "mean": [0.0, 10.0, 20.0, 30.0, -5.0, 1e6, 12.5, 12.5],
        "label": [0, 1, 2, 3, -1, 5, 6, 6],
        "is_copy": [True, False] * 4,
    }
)


def _selected(text: str) -> list[int]:
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine

    condition = parse_row_condition(text, COLUMNS)
    clause = PandasExecutionEngine().condition_to_filter_clause(condition)
    return [int(row) for row in TABLE.query(clause).index]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('split == "train"', [0, 1]),
        ("split != 'train' and mean >= 20", [2, 3, 5]),
        ("10 <= mean < 30", [1, 2, 6, 7]),
        ("label in [0, 3] or label == -1", [0, 3, 4]),
        ("label not in (0, 1, 2, 3)", [4, 5, 6, 7]),
        ("is_copy", [0, 2, 4, 6]),
        ("not is_copy and label < 3", [1]),
        ("not label in [0, 1]", [2, 3, 4, 5, 6, 7]),
        ('(split == "train") & ~(mean > 5)', [0]),
        ("(label == 0) | (label == 1)", [0, 1]),
        ("20 == mean", [2]),
        ("30 > mean", [0, 1, 2, 4, 6, 7]),
        ('split == "it\'s"', [4]),
        ("split == 'say \"a\"'", [5]),
        ('split == "@x"', [6]),
        (r'split == "a\\b"', [7]),
    ],
)
def test_conditions_select_rows(text: str, rows: list[int]) -> None:
    assert _selected(text) == rows


@given(
    value=st.one_of(st.integers(-10, 10), st.floats(-1e6, 1e6), st.text(max_size=12)),
    operator=st.sampled_from(["==", "!="]),
)
def test_every_constant_is_compared_as_itself(value: float | str, operator: str) -> None:
    column = "split" if isinstance(value, str) else "mean"
    text = f"{column} {operator} {value!r}"
    if isinstance(value, str) and "`" in value:
        with pytest.raises(ValueError, match="expected comparisons"):
            parse_row_condition(text, COLUMNS)
        return
    equal = (TABLE[column] == value).to_numpy()
    expected = np.flatnonzero(equal if operator == "==" else ~equal)
    assert _selected(text) == expected.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "@pd.io.common.os.system('true') == 0",
        "__import__('os').system('true') == 0",
        "mean.__class__ == 1",
        "mean[0] == 1",
        "mean == mean.max()",
        "mean == label",
        "mean + 1 == 2",
        "(lambda: 1)() == 1",
        "[x for x in (1,)] == mean",
        "mean == f'{1}'",
        "split == '`a`'",
        "split == b'a'",
        "mean == None",
        "mean is 1",
        "split in 'train'",
        "in_train := True",
        "1 == 1",
        "True",
        "",
        "mean == 1; import os",
        "mean ==",
        "(" * 200 + "mean" + ")" * 200 + "()",
        "mean == " + "-" * 900 + "1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected comparisons of a column"):
        parse_row_condition(text, COLUMNS)


def test_the_refused_part_is_named() -> None:
    with pytest.raises(ValueError, match=r"got 'mean.max\(\)'"):
        parse_row_condition('split == "train" and label == mean.max()', COLUMNS)
    with pytest.raises(ValueError, match="unknown column 'brightness'; known: split, mean"):
        parse_row_condition("brightness > 3", COLUMNS)
    with pytest.raises(ValueError, match="got dict"):
        parse_row_condition({"type": "pass_through"}, COLUMNS)


def test_long_conditions_are_refused() -> None:
    with pytest.raises(ValueError, match=f"at most {MAX_LENGTH} characters, got 2000"):
        parse_row_condition("a" * 2000, COLUMNS)
    many = " or ".join(["label==1"] * (MAX_COMPARISONS + 1))
    with pytest.raises(ValueError, match=f"at most {MAX_COMPARISONS} comparisons"):
        parse_row_condition(many, COLUMNS)
