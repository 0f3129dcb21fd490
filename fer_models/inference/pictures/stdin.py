"""One picture from standard input."""

import sys

from fer_models.inference.picture import Picture
from fer_models.inference.pictures.decode import picture_of_bytes
from fer_models.ingest.files.image_pixels import MAX_FILE_BYTES, too_many_bytes

STDIN = "-"
"""How standard input is named in place of a path."""
_NAME = "stdin"


def read_stdin(problems: list[str]) -> Picture:
    """The picture on standard input; a terminal there is added to `problems`."""
    if sys.stdin is None or sys.stdin.isatty():
        problems.append(
            "-: expected a picture on standard input, got a terminal; pipe one, such as "
            "`cat face.jpg | ferflow predict -`"
        )
        return Picture(_NAME)
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if problem := too_many_bytes(len(data)):
        return Picture(_NAME, problem=problem)
    return picture_of_bytes(_NAME, data)
