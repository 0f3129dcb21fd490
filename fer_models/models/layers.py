"""Small helpers that the networks share."""


def scaled(count: int, width: float) -> int:
    """A channel count times `width`, at least 1."""
    return max(1, round(count * width))


def aligned(count: int, width: float, multiple: int) -> int:
    """A channel count times `width`, rounded to a multiple that vector units fill, at least one."""
    return max(1, round(count * width / multiple)) * multiple
