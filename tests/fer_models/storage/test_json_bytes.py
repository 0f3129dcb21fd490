"""JSON bytes, compared with `json.dumps`: artifact ids are hashes over them."""

import json
from typing import Any

import pytest

from fer_models.storage.json_bytes import json_bytes

VALUE = {"b": [1, 0.1, None, True], "a": {"é": "x"}}


@pytest.mark.parametrize(
    ("options", "dumps_options"),
    [
        ({}, {"indent": 1, "sort_keys": True}),
        ({"sort_keys": False}, {"indent": 1}),
        ({"indent": None}, {"sort_keys": True}),
        ({"allow_nan": True}, {"indent": 1, "sort_keys": True}),
    ],
)
def test_bytes_are_those_of_dumps(options: Any, dumps_options: Any) -> None:
    assert json_bytes(VALUE, **options) == json.dumps(VALUE, **dumps_options).encode()


def test_nan_is_rejected_unless_allowed() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_bytes([float("nan")])
    assert json_bytes([float("nan")], indent=None, allow_nan=True) == b"[NaN]"
