"""Sources are located and hashed once per process while they are unchanged."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_models.errors import DataError
from fer_models.ingest import content_hash, locate
from fer_models.ingest.config import DataConfig
from fer_models.ingest.files import archive
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.ingest.locate import locate_sources
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.archives import compressed, write_archive, write_zip
from tests.fer_models.ingest.builders import (
    fer2013_lines,
    random_images,
    write_fer2013,
    write_folder,
    write_lines,
)

IMAGES = random_images(6)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often files are detected, listed and hashed for real, and opened at all."""
    counts: Counter[str] = Counter()

    def count(owner: Any, name: str, label: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            counts[label] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    count(locate, "kind_of_content", "detected")
    count(archive, "_list_archive", "listed")
    count(content_hash, "sha256_of_file", "hashed")
    return counts


def config_of(*sources: Path | str) -> DataConfig:
    return DataConfig(sources=tuple(str(source) for source in sources))


def check_key_and_ingest(store: ArtifactStore, config: DataConfig) -> None:
    """What `ferflow run` does: check the sources, compute the cache key, ingest."""
    assert fingerprint_sources(config, 0) == fingerprint_sources(config, 0)
    ingest_sources(store, config, 0)


def rewrite(path: Path, content: bytes, restore_mtime: bool) -> None:
    """Replace a file's content in place by one of equal size."""
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    if restore_mtime:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def with_other_label(path: Path) -> bytes:
    text = path.read_bytes()
    return text.replace(b"\n0,", b"\n6,", 1)


@pytest.mark.usefixtures("settled")
def test_a_table_is_detected_and_hashed_once(
    store: ArtifactStore,
    tmp_path: Path,
    calls: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    opened: list[Path] = []
    original = Path.open

    def counted(self: Path, *args: Any, **kwargs: Any) -> Any:
        opened.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", counted)
    check_key_and_ingest(store, config_of(table))
    assert calls == {"detected": 1, "hashed": 1}
    # To detect, to hash, to see the size of its images, and to read it.
    assert opened.count(table) == 4


@pytest.mark.usefixtures("settled")
def test_an_archive_is_listed_and_hashed_once(
    store: ArtifactStore, tmp_path: Path, calls: Counter[str]
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    archive_path = write_archive(tmp_path / "a.tar.gz", {table.name: table.read_bytes()})
    check_key_and_ingest(store, config_of(archive_path))
    assert (calls["listed"], calls["hashed"]) == (1, 1)


@pytest.mark.usefixtures("settled")
def test_only_changed_files_of_a_folder_are_hashed_again(
    tmp_path: Path, calls: Counter[str]
) -> None:
    folder = write_folder(tmp_path / "mine", {f"happy/{i}.png": IMAGES[i] for i in range(4)})
    config = config_of(folder)
    first = fingerprint_sources(config, 0)
    assert fingerprint_sources(config, 0) == first
    assert calls["hashed"] == 4
    data = (folder / "happy/2.png").read_bytes()
    rewrite(folder / "happy/2.png", data[:-1] + b"\0", restore_mtime=True)
    second = fingerprint_sources(config, 0)
    assert calls["hashed"] == 5
    (folder / "happy/4.png").write_bytes(data)
    third = fingerprint_sources(config, 0)
    assert calls["hashed"] == 6
    assert len({first, second, third}) == 3


@pytest.mark.parametrize("restore_mtime", [False, True])
@pytest.mark.parametrize("is_settled", [False, True])
def test_changed_content_of_equal_size_has_another_fingerprint(
    tmp_path: Path, restore_mtime: bool, is_settled: bool, request: pytest.FixtureRequest
) -> None:
    if is_settled:
        request.getfixturevalue("settled")
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    config = config_of(table)
    prints = [fingerprint_sources(config, 0)]
    for content in (with_other_label(table), table.read_bytes()):
        rewrite(table, content, restore_mtime)
        prints.append(fingerprint_sources(config, 0))
    assert prints[0] == prints[2] != prints[1]


def test_a_rewritten_archive_of_equal_size_is_listed_again(tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "scratch.csv", IMAGES).read_bytes()
    path = write_zip(tmp_path / "a.zip", {"one.csv": table})
    other = write_zip(tmp_path / "b.zip", {"two.csv": table}).read_bytes()
    names = [locate_sources([str(path)])[0][0].name]
    rewrite(path, other, restore_mtime=True)
    names.append(locate_sources([str(path)])[0][0].name)
    assert names == ["a.zip::one.csv", "a.zip::two.csv"]


@pytest.mark.usefixtures("settled")
def test_another_format_at_the_same_path_is_detected(tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    kinds = [locate_sources([str(table)])[0][0].kind]
    compressed(table, ".gz").replace(table)
    kinds.append(locate_sources([str(table)])[0][0].kind)
    table.write_bytes(b"")
    kinds.append(locate_sources([str(table)])[0][0].kind)
    assert kinds == ["pixel table", "pixel table", None]


@pytest.mark.usefixtures("settled")
def test_a_missing_file_is_found_when_it_appears(store: ArtifactStore, tmp_path: Path) -> None:
    config = config_of(tmp_path / "fer2013.csv")
    for _ in range(2):
        with pytest.raises(DataError, match="no such file"):
            fingerprint_sources(config, 0)
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    fingerprint = fingerprint_sources(config, 0)
    ingest_sources(store, config, 0)
    table.unlink()
    with pytest.raises(DataError, match="no such file"):
        fingerprint_sources(config, 0)
    write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    assert fingerprint_sources(config, 0) == fingerprint


@pytest.mark.usefixtures("settled")
def test_findings_of_one_call_do_not_leak_into_the_next(
    store: ArtifactStore, tmp_path: Path
) -> None:
    bad = write_lines(
        tmp_path / "a.csv", "emotion,pixels,Usage", [*fer2013_lines(IMAGES), "9,1 2,x"]
    )
    empty = tmp_path / "b.csv"
    empty.write_bytes(b"")
    (_, first), (_, unusable) = locate_sources([str(bad), str(empty)])
    assert (len(first.faults), len(unusable.faults)) == (0, 1)
    first.add_fault("a fault")
    first.add_bad_row(0, "row 0", ["a problem"])
    unusable.add_fault("another fault")
    (_, second), (_, unusable) = locate_sources([str(bad), str(empty)])
    assert (second.faults, second.bad_rows) == ([], [])
    assert len(unusable.faults) == 1
    problems = []
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            ingest_sources(store, config_of(bad), 0)
        problems.append(caught.value.problems)
    assert problems[0] == problems[1]
    assert len(problems[0]) == 1


@pytest.mark.usefixtures("settled")
def test_messages_name_the_path_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_fer2013(tmp_path / "scratch.csv", IMAGES).read_bytes()
    write_zip(tmp_path / "a.zip", {"one.csv": table, "two.csv": table})
    monkeypatch.chdir(tmp_path)
    for named in ("a.zip", str(tmp_path / "a.zip"), "./a.zip"):
        [(_, findings)] = locate_sources([named])
        assert f"name one of them: {Path(named)}::one.csv" in findings.faults[0]
