"""Channel counts of scaled networks."""


def scaled(count: int, width: float) -> int:
    """`count` channels times `width`, at least 1."""
    return max(1, round(count * width))


def aligned(count: int, width: float, multiple: int) -> int:
    """`count` channels times `width`, rounded to a multiple that suits vector units."""
    return max(1, round(count * width / multiple)) * multiple
