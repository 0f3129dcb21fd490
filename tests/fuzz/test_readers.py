"""No input crashes or hangs a reader; `make fuzz` tries more of them."""

import warnings

import pytest

from tests.fuzz.readers import Reader, all_readers
from tests.fuzz.run import fuzz


@pytest.mark.parametrize("reader", all_readers(), ids=lambda reader: reader.name)
@pytest.mark.parametrize("num_inputs", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_mutated_inputs_are_read_or_refused(reader: Reader, num_inputs: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = fuzz(reader, num_inputs, seed=7)
    assert not outcome.crashes
    assert outcome.num_read + outcome.num_refused == num_inputs


def test_a_crash_is_noticed() -> None:
    def fail(_: object) -> None:
        if calls:
            raise KeyError("unexpected")
        calls.append(1)

    calls: list[int] = []
    outcome = fuzz(Reader("broken", "x.csv", b"1,2,3", fail), 2, seed=0)
    assert len(outcome.crashes) == 2
    assert "0/broken/0: KeyError: 'unexpected'" in outcome.crashes[0]
