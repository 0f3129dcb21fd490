"""JSON as bytes, written the same way by every room: ids are hashes over them."""

import hashlib
import json
from typing import Any


def json_bytes(
    value: Any, *, indent: int | None = 1, sort_keys: bool = True, allow_nan: bool = False
) -> bytes:
    """Serialise plain values as UTF-8 JSON; equal values give equal bytes on every machine.

    The options are those of `json.dumps`. An artifact whose id is a hash over these bytes must
    keep its options, or the same content would get another id.

    Raises:
        ValueError: a number is NaN or infinite, unless `allow_nan`.

    Example:
        json_bytes({"b": 1, "a": 2}, indent=None)  # b'{"a": 2, "b": 1}'
    """
    text = json.dumps(value, indent=indent, sort_keys=sort_keys, allow_nan=allow_nan)
    return text.encode()


def json_key(value: Any) -> str:
    """Hash of plain values (24 hex digits of the sha256), independent of the order of keys.

    Example:
        json_key({"seed": 0, "snapshot": "an-id"})
    """
    data = json_bytes(value, indent=None, allow_nan=True)
    return hashlib.sha256(data).hexdigest()[:24]
