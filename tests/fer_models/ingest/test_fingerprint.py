"""The fingerprint changes exactly if the snapshot of the sources would."""

import shutil
from pathlib import Path

import pytest

from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from tests.fer_models.ingest.builders import (
    random_images,
    write_fer2013,
    write_folder,
    write_lines,
)

IMAGES = random_images(12)


def config_of(*sources: Path | str) -> DataConfig:
    names = tuple(str(source) for source in sources)
    return DataConfig(sources=names, synthetic=SyntheticConfig(num_images=140))


def test_fingerprint_changes_with_everything_the_snapshot_depends_on(tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    folder = write_folder(tmp_path / "mine", {"happy/a.png": IMAGES[0], "sad/b.png": IMAGES[1]})
    config = config_of(table, folder)
    seen = [fingerprint_sources(config, 0)]

    def add(changed: DataConfig, seed: int = 0) -> None:
        seen.append(fingerprint_sources(changed, seed))

    add(config_of(folder, table))
    add(config.model_copy(update={"quarantine_bad_rows": True}))
    (folder / "sad/b.png").rename(folder / "sad/c.png")
    add(config)
    (folder / "sad/c.png").write_bytes((folder / "happy/a.png").read_bytes())
    add(config)
    write_fer2013(table, IMAGES[::-1])
    add(config)
    add(config_of("synthetic"))
    add(config_of("synthetic"), seed=1)
    add(DataConfig())
    assert len(set(seen)) == len(seen)


def test_fingerprint_ignores_everything_else(tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    config = config_of(table)
    (tmp_path / "elsewhere").mkdir()
    copy = config_of(shutil.copy(table, tmp_path / "elsewhere"))
    other_faces = config.model_copy(update={"synthetic": SyntheticConfig()})
    prints = [fingerprint_sources(c, s) for c, s in ((config, 0), (config, 1), (copy, 0))]
    assert {*prints, fingerprint_sources(other_faces, 0)} == {prints[0]}


def test_fingerprint_raises_the_same_error_as_ingest(store: ArtifactStore, tmp_path: Path) -> None:
    bad = write_lines(tmp_path / "b.csv", "label,px", ["1,2"])
    config = config_of(tmp_path / "absent.csv", bad)
    with pytest.raises(DataError) as caught:
        fingerprint_sources(config, 0)
    with pytest.raises(DataError) as by_ingest:
        ingest_sources(store, config, 0)
    assert str(caught.value) == str(by_ingest.value)
    assert len(caught.value.problems) == 2
