"""Parse pixel lists ("70 80 82 ...") to images, many rows at a time.

Own code for speed: a few passes of array arithmetic convert the digits of a whole chunk, without a
Python object for each of FER2013's 82.7 million pixels.
"""

from collections import Counter
from collections.abc import Sequence
from math import isqrt

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images

MIN_SIDE_PX, MAX_SIDE_PX = 16, 512
_OPENING, _CLOSING = (b"[", b"("), (b"]", b")")
_COMMA_BYTES = 6
_MAX_VALUE = 255
_PAD = b"   "
_SHOWN_CHARACTERS = 20


def side_of(texts: Sequence[bytes]) -> int:
    """The side of the square images of most of these rows; FER2013's 48 if none is a square."""
    counts = Counter(len(text.split()) for text in map(plain_pixels, texts))
    squares = {isqrt(count): number for count, number in counts.items() if _is_square(count)}
    # 48 before another size that is as frequent.
    return max(squares, key=lambda side: (squares[side], side == IMAGE_SIZE_PX), default=48)


def _is_square(count: int) -> bool:
    return isqrt(count) ** 2 == count and MIN_SIDE_PX <= isqrt(count) <= MAX_SIDE_PX


def plain_pixels(text: bytes) -> bytes:
    """The numbers of a list without brackets and commas (`[122, 145, ...]`)."""
    if text[:1] not in _OPENING and b"," not in text[:_COMMA_BYTES]:
        return text
    if text[:1] in _OPENING and text[-1:] in _CLOSING:
        text = text[1:-1]
    return text.replace(b",", b" ")


def parse_pixels(
    texts: Sequence[bytes], side: int = IMAGE_SIZE_PX
) -> tuple[Images, dict[int, str]]:
    """Parse rows of `side` x `side` blank-separated numbers 0..255.

    Example:
        images, problems = parse_pixels([b"70 80 82 " * 768])

    Args:
        texts: one row each; digits and blanks.
        side: of the images, in pixels.

    Returns:
        The images of the valid rows (uint8 n x side x side, in order), and the problem of each
        invalid row, by its position in `texts`.
    """
    images = _parse_valid(texts, side)
    if images is not None:
        return images, {}
    if len(texts) == 1:
        return _no_images(side), {0: _explain(texts[0], side)}
    # Bisection finds the invalid rows; valid ones are parsed a few times more.
    middle = len(texts) // 2
    first, first_bad = parse_pixels(texts[:middle], side)
    second, second_bad = parse_pixels(texts[middle:], side)
    shifted = {middle + position: problem for position, problem in second_bad.items()}
    return np.concatenate([first, second]), first_bad | shifted


def _parse_valid(texts: Sequence[bytes], side: int) -> Images | None:
    """All images, or None if any row is not exactly side x side numbers 0..255."""
    if not texts:
        return _no_images(side)
    # Three blanks before the first digit, because each position looks back at three others.
    data = np.frombuffer(b"".join((_PAD, b" ".join(texts), b" ")), dtype=np.uint8)
    digits = data - np.uint8(ord("0"))
    is_digit = digits < 10
    # count_nonzero is twenty times as fast as all() and any(), and compress as boolean indexing.
    if np.count_nonzero(is_digit | (data == ord(" "))) < len(data):
        return None
    digits *= is_digit
    # Arrays below have one element a character, named by its role if a number ends there.
    ends = is_digit[3:-1] & ~is_digit[4:]
    if not _counts_fit(ends, texts, side * side):
        return None
    after_digit = is_digit[3:-1] & is_digit[2:-2]
    if np.count_nonzero(after_digit & is_digit[1:-3] & is_digit[:-4]):
        return None  # four digits
    hundreds = digits[1:-3] * after_digit
    tens_and_units = digits[2:-2] * np.uint8(10)
    tens_and_units += digits[3:-1]
    values = hundreds * np.uint8(100)
    values += tens_and_units
    # Bytes wrap at 256: with at most two hundreds, a wrapped value is below its last two digits.
    if hundreds.max() > _MAX_VALUE // 100 or np.count_nonzero(values < tens_and_units):
        return None
    return np.compress(ends, values).reshape(-1, side, side)


def _counts_fit(ends: npt.NDArray[np.bool_], texts: Sequence[bytes], num_pixels: int) -> bool:
    """Whether each row has exactly `num_pixels` (`ends` marks the last digit of each)."""
    start = 0
    for text in texts:
        if np.count_nonzero(ends[start : start + len(text)]) != num_pixels:
            return False
        start += len(text) + 1
    return True


def _explain(text: bytes, side: int) -> str:
    num_pixels = side * side
    numbers = text.split()
    if not numbers:
        return f"expected {num_pixels} pixel values, got none; complete or remove the row"
    for pixel, number in enumerate(numbers):
        if number.isdigit() and len(number) <= 3 and int(number) <= _MAX_VALUE:
            continue
        shown = number[:_SHOWN_CHARACTERS].decode("utf-8", errors="replace")
        return (
            f"expected whole numbers 0..{_MAX_VALUE} separated by blanks, got {shown!r} as pixel "
            f"{pixel}; correct the value or remove the row"
        )
    if len(numbers) != num_pixels:
        return (
            f"expected {num_pixels} pixel values ({side} x {side}), got {len(numbers)}; "
            "complete or remove the row"
        )
    return "expected pixel values separated by blanks only, got other white space"


def _no_images(side: int) -> Images:
    return np.zeros((0, side, side), dtype=np.uint8)
