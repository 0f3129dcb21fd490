"""Tables in Markdown."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table: the first is the head, the first column left-aligned.

    Example:
        table([["class", "images"], ["happy", "8,989"]])
    """
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    rule = f"| --- |{' ---: |' * (len(rows[0]) - 1)}"
    return "\n".join([lines[0], rule, *lines[1:]])


def cell(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    for special in "\\`*_[]<>|#":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())
