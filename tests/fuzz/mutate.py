"""Small random changes of a valid input, as damage and attackers make them."""

import random
from collections.abc import Callable

# What has broken parsers before.
_TOKENS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"../../../etc/passwd",
    b"NaN",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"[" * 2000,
    b'{"a":' * 600,
    b"&a [*a,*a]",
    b"!!python/object/apply:os.system ['true']",
    b"\r\n",
    b'"',
    b"'",
    b",;\t",
    b"=1+1",
    b"\xed\xa0\x80",
    "\u202e\u0000é".encode(),
    b"<script>",
    b"${jndi:x}",
    b"{{7*7}}",
)


def mutated(data: bytes, source: random.Random) -> bytes:
    """The data after one to four changes."""
    for _ in range(source.randint(1, 4)):
        data = source.choice(_CHANGES)(data, source)
    return data


def _flip(data: bytes, source: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(source.randint(1, 8)):
        if changed:
            changed[source.randrange(len(changed))] = source.randrange(256)
    return bytes(changed)


def _cut(data: bytes, source: random.Random) -> bytes:
    return data[: source.randrange(len(data) + 1)]


def _remove(data: bytes, source: random.Random) -> bytes:
    start, end = _span(data, source)
    return data[:start] + data[end:]


def _repeat(data: bytes, source: random.Random) -> bytes:
    start, end = _span(data, source)
    return data[:end] + data[start:end] * source.choice((1, 2, 20)) + data[end:]


def _insert(data: bytes, source: random.Random) -> bytes:
    at = source.randrange(len(data) + 1)
    return data[:at] + source.choice(_TOKENS) + data[at:]


def _replace(data: bytes, source: random.Random) -> bytes:
    start, end = _span(data, source)
    return data[:start] + source.choice(_TOKENS) + data[end:]


def _swap_lines(data: bytes, source: random.Random) -> bytes:
    lines = data.split(b"\n")
    source.shuffle(lines)
    return b"\n".join(lines)


def _replace_number(data: bytes, source: random.Random) -> bytes:
    """Another number in place of a run of digits: sizes, offsets, labels."""
    digits = [at for at, byte in enumerate(data[:20_000]) if 48 <= byte <= 57]
    if not digits:
        return data
    start = source.choice(digits)
    end = start
    while end < len(data) and 48 <= data[end] <= 57:
        end += 1
    number = source.choice((b"0", b"-1", b"7", b"255", b"256", b"1e9", b"9" * 30, b"0.5", b""))
    return data[:start] + number + data[end:]


def _span(data: bytes, source: random.Random) -> tuple[int, int]:
    start = source.randrange(len(data) + 1)
    return start, min(len(data), start + source.choice((1, 2, 8, 64, 512)))


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _cut,
    _remove,
    _repeat,
    _insert,
    _replace,
    _swap_lines,
    _replace_number,
    _replace_number,
)
