"""Every published layout is read alike as a folder, a zip and a tar.gz, with the right labels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_models.ingest.config import DataConfig
from fer_models.ingest.files import archive
from fer_models.ingest.read import ReadSource, read_sources
from fer_models.ingest.source_table import SourceTable
from tests.fer_models.ingest.archives import write_archive
from tests.fer_models.ingest.builders import write_folder
from tests.fer_models.ingest.layouts.published import LAYOUTS, Built, own_table, rafdb


def read_one(path: Path | str, **settings: object) -> ReadSource:
    [one] = read_sources(DataConfig(sources=(str(path),), **settings), seed=0)  # type: ignore[arg-type]
    return one


def table_of(path: Path | str, **settings: object) -> SourceTable:
    table = read_one(path, **settings).table
    assert table is not None
    return table


def by_name(table: SourceTable) -> pd.DataFrame:
    """The fields with the name of each label; "" for an unlabelled image."""
    names = [table.label_names[n] if n >= 0 else "" for n in table.fields["label"]]
    return table.fields.assign(label=names)


def assert_true(table: SourceTable, built: Built, prefix: str = "") -> None:
    fields = by_name(table)
    paths = [prefix + path for path in fields["path"]]
    assert paths == sorted(built.labels)
    assert dict(zip(paths, fields["label"], strict=True)) == built.labels
    assert dict(zip(paths, fields["split"], strict=True)) == built.splits
    pixels = np.stack([built.pixels[path] for path in paths])
    np.testing.assert_array_equal(table.images, pixels)


def packed(folder: Path, built: Built, packing: str) -> Path:
    """The layout as a folder (`""`), or as an archive with this suffix."""
    if not packing:
        return write_folder(folder / "faces", built.files)  # type: ignore[arg-type]
    return write_archive(folder / f"faces{packing}", built.files)


def prefix_of(path: Path, built: Built) -> str:
    """What an archive's root drops from the front of all paths."""
    from fer_models.ingest.locate import locate_sources

    [(source, _)] = locate_sources([str(path)])
    return f"{source.member}/" if source.member else ""


@pytest.mark.parametrize("packing", ["", ".zip", ".tar.gz"])
def test_a_table_with_unknown_columns_is_named_by_settings(tmp_path: Path, packing: str) -> None:
    built = own_table("key,mood,split").under("set/")
    built.files["set/labels.csv"] = built.files["set/labels.csv"].replace(b".png", b"")
    settings = {"path": "labels.csv", "image": "key", "label": "mood"}
    path = packed(tmp_path, built, packing)
    assert_true(table_of(path, table=settings), built, prefix_of(path, built))


def test_a_tar_is_read_once_to_list_it_once_for_sizes_and_once_for_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: None
) -> None:
    path = packed(tmp_path, rafdb(), ".tar.gz")
    passes: list[Path] = []
    plain_walk = archive.walk

    def counted(path: Path) -> Iterator[archive.Entry]:
        passes.append(path)
        return plain_walk(path)

    monkeypatch.setattr(archive, "walk", counted)
    table_of(path)
    assert len(passes) == 3


@pytest.mark.parametrize("packing", ["", ".zip", ".tar.gz"])
@pytest.mark.parametrize("wrapper", ["", "download/set/"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_with_the_labels_of_its_documentation(
    tmp_path: Path, layout: str, wrapper: str, packing: str
) -> None:
    built = LAYOUTS[layout]().under(wrapper)
    path = packed(tmp_path, built, packing)
    assert_true(table_of(path), built, prefix_of(path, built))
