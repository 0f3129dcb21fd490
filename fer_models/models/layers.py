"""Small helpers that the networks share."""


def scaled(count: int, width: float) -> int:
    """A channel count times `width`, at least 1."""
    return max(1, round(count * width))
