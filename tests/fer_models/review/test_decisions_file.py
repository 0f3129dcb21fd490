"""The decisions file: round trip, and errors with line numbers."""

import contextlib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.errors import DataError
from fer_models.review.decisions_file import (
    COLUMNS,
    DECISION_DTYPES,
    decisions_csv,
    parse_decisions,
    read_decisions,
)

HEADER = "image_id,pixel_sha256,action,label,note\n"
SHA = "0f" * 32

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_actions = st.one_of(
    st.tuples(st.sampled_from(["keep", "drop", "reset"]), st.just("")),
    st.tuples(st.just("relabel"), st.sampled_from(FER2013_CLASSES.names)),
)


@st.composite
def _tables(draw: st.DrawFn) -> pd.DataFrame:
    ids = draw(st.lists(_texts.filter(str.strip), max_size=6, unique=True))
    rows = [(name, draw(st.sampled_from(["", SHA])), *draw(_actions), draw(_texts)) for name in ids]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(DECISION_DTYPES)


@given(table=_tables())
def test_a_written_table_is_read_back(table: pd.DataFrame) -> None:
    text = decisions_csv(table)
    again = parse_decisions(text, "text")
    ordered = table.sort_values(["image_id", "pixel_sha256"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(again, ordered)
    assert decisions_csv(again) == text


@given(text=st.text(max_size=200))
def test_any_text_is_parsed_or_rejected_with_a_data_error(text: str) -> None:
    with contextlib.suppress(DataError):
        assert set(parse_decisions(text, "text").columns) == set(COLUMNS)


def test_a_file_edited_by_hand_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "my decisions.csv"
    path.write_bytes(
        b"\xef\xbb\xbfAction, image_id,label\r\nKEEP,a/1,\r\n\r\nrelabel,a/2,Happiness\r\n"
        b"relabel,a/3,5\r\ndrop,a/4,\r\nDrop,a/4,\r\nreset,=cmd|x,\r\n"
    )
    table = read_decisions(path, FER2013_CLASSES)
    assert table["image_id"].tolist() == ["a/1", "a/2", "a/3", "a/4", "=cmd|x"]
    assert table["action"].tolist() == ["keep", "relabel", "relabel", "drop", "reset"]
    assert table["label"].tolist() == ["", "happy", "surprise", "", ""]
    assert set(table["pixel_sha256"]) == set(table["note"]) == {""}


def test_all_problems_are_reported_together_with_their_lines() -> None:
    text = (
        f"{HEADER}a,,keep,,\nb,,delete,,\nc,,relabel,,\n\nd,,keep,happy,\ne,,relabel,jolly,\n"
        f"a,,drop,,\n,,keep,,\nf,12,drop,,\ng,keep\n"
    )
    with pytest.raises(DataError, match="8 invalid lines") as caught:
        parse_decisions(text, "x.csv", FER2013_CLASSES)
    problems = "\n".join(caught.value.problems)
    assert caught.value.exit_code == 2
    for part in (
        "line 3 (b): expected the action keep, drop, relabel, reset, got 'delete'",
        "line 4 (c): relabel needs a label",
        "line 6 (d): keep takes no label, got 'happy'",
        "line 7 (e): label: expected one of angry, disgust",
        "line 8 (a): drop here, but keep in line 2",
        "line 9: expected an image_id, got none",
        "line 10 (f): expected 64 hex digits",
        "line 11: expected 5 cells",
    ):
        assert part in problems


def test_one_id_may_name_images_of_two_datasets() -> None:
    table = parse_decisions(f"{HEADER}a,{SHA},keep,,\na,{'1e' * 32},drop,,\n", "x")
    assert len(table) == 2


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (HEADER.encode() + b"caf\xe9,,keep,,\n", "line 2: expected UTF-8, got the byte 0xe9"),
        (b"image_id,decision\na,keep\n", "missing columns: action, label"),
        (b"image_id,action,label,lable\n", "unknown columns: 'lable'"),
        (b"image_id;action;label\na;keep;\n", "missing columns"),
        (b"image_id,action,label,action\n", "repeated columns: action"),
        (HEADER.encode() + b'"a,,keep,,\n', "not CSV"),
        (HEADER.encode() + b"\n".join(b"a%d,,no,," % i for i in range(99)), "... and 49 more"),
    ],
)
def test_invalid_files_are_rejected(tmp_path: Path, data: bytes, part: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_decisions(path)
    assert part in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.csv: can't read.*ferflow review"):
        read_decisions(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="can't read"):
        read_decisions(tmp_path)
