"""A training on a disk without space for its checkpoints."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.data import training_data
from tests.fer_models.training.conftest import MEMBER
from tests.fer_models.training.faces import write_faces


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, too small for one checkpoint."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_ends_no_training_and_is_reported_once(
    store: ArtifactStore, small_disk: Path
) -> None:
    data = training_data(open_snapshot(store, write_faces(store)))
    events: list[Progress] = []
    with listening(events.append):
        trained = fit(data, MEMBER, 3, lambda _: None, small_disk / "last.ckpt")
    assert len(trained.curve) == MEMBER.training.epochs > 1
    (warning,) = [event.note for event in events if event.is_warning]
    assert "can't write the checkpoint" in warning
    assert "set XDG_CACHE_HOME" in warning
    assert list(small_disk.iterdir()) == []
