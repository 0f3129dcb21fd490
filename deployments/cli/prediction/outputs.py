"""Outputs of a prediction: none replaces a file that is read, or another output."""

import os
from collections.abc import Iterable
from pathlib import Path

from fer_models.errors import DataError, FerError


def output_problems(
    out: Path | None, annotated: Path | None, sources: Iterable[str]
) -> list[FerError]:
    """What an output would overwrite, one error each.

    Args:
        out: the file of `--out`, with links resolved; None: not written.
        annotated: the file or folder of `--annotate`, likewise.
        sources: paths of the files that are read.
    """
    targets = {"--out": out, "--annotate": annotated}
    existing = {name: path for name, path in targets.items() if path and path.exists()}
    # Many pictures have many links to resolve: only if one of them may be an output.
    read = {os.path.realpath(source) for source in sources} if existing else set()
    problems: list[FerError] = [
        DataError(f"{name} {path}: this is a file to predict; choose another file")
        for name, path in existing.items()
        if str(path) in read
    ]
    if out is not None and annotated is not None and annotated in (out, *out.parents):
        problems.append(
            DataError(
                f"--out {out}: this is also what --annotate writes; choose another file for one "
                "of them"
            )
        )
    return problems
