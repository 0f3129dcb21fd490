"""A folder with a table of labels, and reading it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig, TableConfig
from fer_models.ingest.read import ReadSource, read_sources
from tests.fer_models.ingest.builders import image_bytes, write_folder
from tests.fer_models.ingest.layouts.published import EMOTIONS, face

NAMES = EMOTIONS[:5]


def folder(
    tmp_path: Path, table: str, names: Sequence[str] | None = None, name: str = "labels.csv"
) -> Path:
    """Five images of angry to sad (or these names) and a table beside them."""
    names = names or [f"images/{number}.png" for number in range(5)]
    files = {path: image_bytes(face(number)) for number, path in enumerate(names)}
    return write_folder(tmp_path / "faces", {**files, name: table.encode()})  # type: ignore[arg-type]


def table_text(header: str = "path,label", template: str = "images/{i}.png,{name}") -> str:
    rows = [template.format(i=i, name=name) for i, name in enumerate(NAMES)]
    return "\n".join([header, *rows])


def read(path: Path | str, table: Mapping[str, object] | None = None, **more: object) -> ReadSource:
    config = DataConfig(sources=(str(path),), table=TableConfig(**(table or {})), **more)  # type: ignore[arg-type]
    [one] = read_sources(config, seed=0)
    return one


def labels_of(one: ReadSource) -> list[str]:
    """The labels in the order of the images' numbers."""
    assert one.table is not None
    return [one.table.label_names[n] if n >= 0 else "" for n in one.table.fields["label"]]


def problems(
    path: Path | str, table: Mapping[str, object] | None = None, **more: object
) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(path, table, **more)
    return list(caught.value.problems)
