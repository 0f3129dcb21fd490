"""Many images are decoded by worker processes: the result is that of threads, and nothing stays."""

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from fer_models.dataset.image_format import ImageFormat, to_thumbnails
from fer_models.dataset.snapshot import pixel_sha256
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.decoding import decoder as decoder_module
from fer_models.ingest.decoding.decoder import Decoded, Decoder
from fer_models.ingest.decoding.tasks import ImageFile, Task
from fer_models.ingest.ingest import ingest_sources
from fer_models.storage.backend import Buffers
from fer_models.storage.config import StoreConfig
from fer_models.storage.folder import FolderBackend
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.archives import write_tar
from tests.fer_models.ingest.builders import image_bytes

ROOT = Path(__file__).parents[4]
RNG = np.random.default_rng(3)
NUM_FILES = 150
DAMAGED = {94, 114, 134}
"""Positions of the files 39, 79 and 119, which are in the second folder."""
WORKER = "fer_models.ingest.decoding.worker"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEG files in colour and grey, of several sizes, some of them damaged."""
    root = tmp_path_factory.mktemp("decoder") / "faces"
    for number in range(NUM_FILES):
        path = root / ("happy", "sad")[number % 2] / f"{number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (60 + number % 50, 60 + number % 7, 3)[: 2 + number % 2]
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(path, quality=90)
        if number % 40 == 39:
            path.write_bytes(path.read_bytes()[:300])
    return root


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three worker processes also for a few images."""
    monkeypatch.setattr(decoder_module, "_MIN_IMAGES", 2)
    monkeypatch.setattr(decoder_module, "num_cores", lambda: 3)


def workers_of(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children()
    return [one for one in children if WORKER in " ".join(one.cmdline())]


def tasks_of(folder: Path) -> list[Task]:
    return [Task(n, ImageFile(str(p))) for n, p in enumerate(sorted(folder.rglob("*.jpg")))]


def decoded(folder: Path, target: ImageFormat) -> Decoded:
    with Decoder() as decoder:
        return decoder.decode(iter(tasks_of(folder)), NUM_FILES, "faces", target)


def snapshot_id(tmp_path: Path, source: Path, **settings: Any) -> str:
    store = ArtifactStore(StoreConfig(url=str(tmp_path / "store")))
    config = {"sources": [str(source)], "quarantine_bad_rows": True, **settings}
    snapshot = ingest_sources(store, DataConfig.model_validate(config), 0)
    assert not store.faults(snapshot, deep=True)
    return snapshot.id


@pytest.mark.parametrize("target", [ImageFormat(), ImageFormat(64, 3, "crop")])
def test_processes_and_threads_give_the_same(
    folder: Path, target: ImageFormat, request: pytest.FixtureRequest
) -> None:
    in_threads = decoded(folder, target)
    request.getfixturevalue("processes")
    in_processes = decoded(folder, target)
    kept = [n for n in range(NUM_FILES) if n not in in_threads.problems]
    assert in_threads.problems == in_processes.problems
    assert set(range(NUM_FILES)) - set(kept) == DAMAGED
    np.testing.assert_array_equal(in_threads.images[kept], in_processes.images[kept])
    assert in_threads.sha256 == in_processes.sha256
    assert [in_processes.sha256[n] for n in kept] == pixel_sha256(in_processes.images[kept])
    if target.is_thumbnail:
        assert in_processes.thumbnails is None
    else:
        assert in_processes.thumbnails is not None
        expected = to_thumbnails(np.ascontiguousarray(in_processes.images[kept]))
        np.testing.assert_array_equal(in_processes.thumbnails[kept], expected)
    assert not workers_of(os.getpid())


@pytest.mark.parametrize("settings", [{"channels": 3}, {"image_size_px": 48}])
def test_the_snapshot_does_not_depend_on_the_number_of_workers(
    tmp_path: Path, folder: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.jpg")}
    packed = write_tar(tmp_path / "faces.tar", files)
    of_folder = {snapshot_id(tmp_path, folder, **settings)}
    of_archive = {snapshot_id(tmp_path, packed, **settings)}
    monkeypatch.setattr(decoder_module, "_MIN_IMAGES", 2)
    for cores in (1, 3):
        monkeypatch.setattr(decoder_module, "num_cores", lambda cores=cores: cores)
        of_folder.add(snapshot_id(tmp_path, folder, **settings))
        of_archive.add(snapshot_id(tmp_path, packed, **settings))
    assert len(of_folder) == len(of_archive) == 1


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("has_damage", [False, True])
def test_the_snapshot_takes_over_the_file_of_the_workers(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, has_damage: bool
) -> None:
    files = [path for n, path in enumerate(sorted(folder.rglob("*.jpg"))) if n not in DAMAGED]
    for path in files + [sorted(folder.rglob("*.jpg"))[94]] * has_damage:
        target = tmp_path / "faces" / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    taken_over: list[Buffers] = []
    upload = FolderBackend.upload

    def noted(backend: FolderBackend, key: str, content: Any) -> None:
        taken_over.extend([content] * (content.file is not None))
        upload(backend, key, content)

    monkeypatch.setattr(FolderBackend, "upload", noted)
    of_processes = snapshot_id(tmp_path, tmp_path / "faces", image_size_px=64)
    assert [len(one.parts[1]) for one in taken_over] == [len(files) * px**2 for px in (64, 48)]
    assert all(bool(one.known_sha256) != has_damage for one in taken_over)
    monkeypatch.setattr(decoder_module, "_MIN_IMAGES", 10**6)
    assert of_processes == snapshot_id(tmp_path / "b", tmp_path / "faces", image_size_px=64)


def test_images_are_loaded_a_few_at_a_time(folder: Path) -> None:
    """An archive does not fit into memory."""
    num_loaded, largest_lead = 0, 0
    content = next(folder.rglob("*.jpg")).read_bytes()

    def tasks() -> Iterator[Task]:
        nonlocal num_loaded
        for number in range(3000):
            num_loaded += 1
            yield Task(number, content if number % 1000 == 0 else "nothing")

    class Counting(Decoder):
        def _outcomes(self, *arguments: Any) -> Iterator[Any]:
            nonlocal largest_lead
            done = 0
            for group in super()._outcomes(*arguments):
                done += len(group)
                largest_lead = max(largest_lead, num_loaded - done)
                yield group

    with Counting() as decoder:
        result = decoder.decode(tasks(), 3000, "many", ImageFormat())
    assert len(result.problems) == 2997
    assert largest_lead <= 64 * (2 + len(os.sched_getaffinity(0)))


@pytest.mark.usefixtures("processes")
def test_several_sources_share_the_workers(folder: Path) -> None:
    with Decoder() as decoder:
        first = decoder.decode(tasks_of(folder)[:30], 30, "a", ImageFormat(64))
        started = {one.pid for one in workers_of(os.getpid())}
        second = decoder.decode(tasks_of(folder)[:30], 30, "b", ImageFormat(64))
        assert started == {one.pid for one in workers_of(os.getpid())}
        assert len(started) == 3
        first.images[:] = 0  # each has memory of its own
    assert second.sha256 == pixel_sha256(second.images)


@pytest.mark.usefixtures("processes")
def test_an_error_while_loading_ends_the_workers(folder: Path) -> None:
    def tasks() -> Iterator[Task]:
        yield from tasks_of(folder)[:100]
        raise OSError("the archive is gone")

    with Decoder() as decoder, pytest.raises(OSError, match="is gone"):
        decoder.decode(tasks(), NUM_FILES, "faces", ImageFormat())
    assert not workers_of(os.getpid())
    assert set(decoded(folder, ImageFormat()).problems) == DAMAGED


@pytest.mark.usefixtures("processes")
def test_a_killed_worker_is_an_error_that_names_its_images(folder: Path) -> None:
    def tasks() -> Iterator[Task]:
        for number, task in enumerate(tasks_of(folder) * 20):
            if number == 1000:
                for worker in workers_of(os.getpid()):
                    worker.send_signal(signal.SIGKILL)
            yield task

    with Decoder() as decoder, pytest.raises(DataError, match=r"signal 9.*during 64 images, from"):
        decoder.decode(tasks(), NUM_FILES, "faces", ImageFormat())
    assert not workers_of(os.getpid())


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("command", ["/nowhere/python", "false"])
def test_without_processes_the_images_are_decoded_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(sys, "executable", command)
    result = decoded(folder, ImageFormat())
    assert set(result.problems) == DAMAGED
    assert all(result.sha256[n] for n in range(NUM_FILES) if n not in result.problems)


@pytest.mark.usefixtures("processes")
def test_no_descriptor_is_left_open(folder: Path) -> None:
    decoded(folder, ImageFormat())
    gc.collect()
    before = psutil.Process().num_fds()
    decoded(folder, ImageFormat())
    gc.collect()
    assert psutil.Process().num_fds() == before


def _in_child(folder: str, connection: Any) -> None:
    decoder_module._MIN_IMAGES = 2
    vars(decoder_module)["num_cores"] = lambda: 2
    connection.send(len(decoded(Path(folder), ImageFormat()).problems))


def test_a_daemonic_process_may_decode(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_in_child, args=(str(folder), theirs), daemon=True)
    child.start()
    assert ours.poll(60)
    assert ours.recv() == 3
    child.join(30)


ENDLESS = """
import itertools, sys
from pathlib import Path
from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.decoding import decoder
from fer_models.ingest.decoding.tasks import ImageFile, Task
decoder._MIN_IMAGES, decoder.num_cores = 2, lambda: 2
files = [str(path) for path in Path(sys.argv[1]).rglob("*.jpg")]
tasks = (Task(0, ImageFile(file)) for file in itertools.cycle(files))
with decoder.Decoder(Path(sys.argv[2])) as one:
    one.decode(tasks, 100, "endless", ImageFormat())
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_workers_and_their_file_end_with_the_parent(
    folder: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", ENDLESS, str(folder), str(tmp_path / "store")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as parent:
        deadline = time.monotonic() + 60
        while len(workers := workers_of(parent.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        assert len(workers) == 2
        parent.send_signal(ending)
        parent.wait(30)
        _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    assert not list(tmp_path.iterdir())


def test_bytes_and_problems_are_tasks_too(folder: Path) -> None:
    grey = RNG.integers(0, 256, (48, 48), dtype=np.uint8)
    boxes = ((0, 0, 24, 24), (500, 500, 600, 600), None)
    tasks = [Task(2, "gone"), Task(3, image_bytes(grey), boxes), Task(0, b""), Task(1, "no")]
    with Decoder() as decoder:
        result = decoder.decode(tasks, 6, "mixed", ImageFormat())
    assert result.problems[2] == "gone"
    assert "0 bytes" in result.problems[0]
    assert "does not fit" in result.problems[4]
    np.testing.assert_array_equal(result.images[5], grey)
    assert set(result.problems) == {0, 1, 2, 4}
    with Decoder() as decoder:
        assert decoder.decode([], 0, "none", ImageFormat()).images.shape == (0, 48, 48)


def test_a_worker_starts_without_numpy() -> None:
    """Its import would take longer than all the rest of the start."""
    code = f"import sys, {WORKER}; print('numpy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"False"
