import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_models.processes import is_dead, process_tag
from fer_models.ray_orphans import OWNER_VARIABLE, mark_folder, sweep_orphans


@pytest.fixture(scope="module")
def dead_tag() -> str:
    """The tag of a dead process."""
    command = "from fer_models.processes import process_tag; print(process_tag())"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
    tag = done.stdout.decode().strip()
    assert is_dead(tag)
    return tag


def _sleeper(name: str, tag: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, OWNER_VARIABLE: tag}
    return subprocess.Popen([name, "60"], executable="/bin/sleep", env=environment)


def test_only_ray_processes_of_dead_drivers_are_killed(dead_tag: str, tmp_path: Path) -> None:
    orphan = _sleeper("ray::DashboardAgent", dead_tag)
    others = [_sleeper("ray::DashboardAgent", process_tag()), _sleeper("mine", dead_tag)]
    try:
        killed = sweep_orphans(tmp_path)
        assert orphan.pid in killed
        assert orphan.wait(timeout=120) != 0
        assert [other.poll() for other in others] == [None, None]
    finally:
        for process in (orphan, *others):
            process.kill()
            process.wait()


def test_only_folders_of_dead_drivers_are_removed(dead_tag: str, tmp_path: Path) -> None:
    for name in ("ray-dead", "ray-alive", "ray-unmarked", "other-dead"):
        (tmp_path / name / "session").mkdir(parents=True)
    mark_folder(tmp_path / "ray-alive")
    for name in ("ray-dead", "other-dead"):
        (tmp_path / name / "owner").write_text(dead_tag)
    sweep_orphans(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["other-dead", "ray-alive", "ray-unmarked"]


def test_a_process_without_its_environment_is_identified_by_its_logs(
    dead_tag: str, tmp_path: Path
) -> None:
    started = []
    for name, tag in (("ray-dead", dead_tag), ("ray-mine", process_tag())):
        folder = tmp_path / name
        folder.mkdir()
        mark_folder(folder)
        (folder / "owner").write_text(tag)
        with (folder / "raylet.out").open("wb") as log:
            started.append(
                subprocess.Popen(
                    ["ray::DashboardAgent", "60"], executable="/bin/sleep", env={}, stdout=log
                )
            )
    orphan, mine = started
    try:
        assert sweep_orphans(tmp_path) == [orphan.pid]
        assert orphan.wait(timeout=120) != 0
        assert mine.poll() is None
        assert [path.name for path in tmp_path.iterdir()] == ["ray-mine"]
    finally:
        for process in started:
            process.kill()
            process.wait()
