"""Where something can be drawn in a picture: boxes beside boxes."""

from collections.abc import Iterator

from fer_models.faces.found import Box

Size = tuple[int, int]
"""Width and height in pixels."""


def places_beside(box: Box, size: Size, picture: Size) -> list[Box]:
    """The places of a size right of, left of, below and above a box that lie in the picture."""
    if size[0] > picture[0] or size[1] > picture[1]:
        return []
    return [place for place in _around(box, size, picture) if place == inside(place, picture)]


def inside(place: Box, picture: Size) -> Box:
    """A place, moved into the picture; its left top corner comes first if it is too large."""
    width, height = place[2] - place[0], place[3] - place[1]
    left = max(min(place[0], picture[0] - width), 0)
    top = max(min(place[1], picture[1] - height), 0)
    return (left, top, left + width, top + height)


def overlaps(a: Box, b: Box) -> bool:
    """Whether two boxes share any area."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _around(box: Box, size: Size, picture: Size) -> Iterator[Box]:
    width, height = size
    # Along the box, moved so that it begins in the picture.
    top = max(min(box[1], picture[1] - height), 0)
    left = max(min(box[0], picture[0] - width), 0)
    yield (box[2], top, box[2] + width, top + height)
    yield (box[0] - width, top, box[0], top + height)
    yield (left, box[3], left + width, box[3] + height)
    yield (left, box[1] - height, left + width, box[1])
