import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tests.benchmarks.bench_fer as command
from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.errors import FerError
from tests.benchmarks.bench_fer import main
from tests.benchmarks.peer_runners import protocol
from tests.benchmarks.results.environments import PeerMissingError
from tests.benchmarks.results.peers import PEERS, RUNNERS, Peer, run_peer

NPM = RUNNERS / "npm"
NPM_PEERS = [peer for peer in PEERS if peer.runner.parent == NPM]
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="node and npm are not installed"
)
# It answers the grey level of the first pixel, in classes of its own order and wording.
PACKAGE = """
exports.NAMES = ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"];
exports.predict = (image, sidePx) => {
  if (image.length !== sidePx * sidePx) throw new Error("not a crop");
  return exports.NAMES.map((_, k) => (k === image[0] ? 0.4 : 0.1));
};
"""
RUNNER = """
const { answer } = require("./protocol.js");

async function load(sidePx) {
  const { NAMES, predict } = require("fakepeer");
  if (process.argv.includes("broken")) throw new Error("no\\nweights");
  const few = process.argv.includes("short") ? 1 : 0;
  const all = async (images) => images.slice(few).map((image) => predict(image, sidePx));
  return { predict: all, classes: NAMES, parameters: 42 };
}

answer(load);
"""


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """A package of one module as npm packs it, its runner, its lock, and no registry."""
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    package = tmp_path / "fakepeer-1.0.0.tgz"
    manifest = json.dumps({"name": "fakepeer", "version": "1.0.0", "main": "index.js"})
    with tarfile.open(package, "w:gz") as archive:
        for name, text in (("package.json", manifest), ("index.js", PACKAGE)):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    checksum = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    _write_lock(tmp_path, package.as_uri().replace("file://", "file:"), f"sha512-{checksum}")
    (tmp_path / "run_fakepeer.js").write_text(RUNNER)
    shutil.copyfile(NPM / "protocol.js", tmp_path / "protocol.js")
    return Peer("fake", "fakepeer", tmp_path / "run_fakepeer.js", (), "fakepeer.predict", "")


def _write_lock(folder: Path, source: str, integrity: str) -> None:
    wanted = {"name": "peer", "dependencies": {"fakepeer": source}}
    found = {"version": "1.0.0", "resolved": source, "integrity": integrity}
    packages = {"": wanted, "node_modules/fakepeer": found}
    lock = {"name": "peer", "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "fakepeer").mkdir(exist_ok=True)
    (folder / "fakepeer" / "package.json").write_text(json.dumps(wanted))
    (folder / "fakepeer" / "package-lock.json").write_text(json.dumps(lock))


def _images() -> np.ndarray:
    images = np.full((7, 48, 48), 255, dtype=np.uint8)
    images[:, 0, 0] = np.arange(7)
    return images


@needs_node
def test_an_npm_package_runs_in_its_own_environment_and_order_of_classes(
    peer: Peer, tmp_path: Path
) -> None:
    root = tmp_path / "peers"
    found = run_peer(peer, _images(), FER2013_CLASSES, root)
    assert found.parameters == 42
    assert found.cpu_seconds > 0
    assert found.seconds > 0
    # Neutral is the package's first class and the last one of FER2013.
    assert found.probs_NK.argmax(axis=1).tolist() == [6, 3, 4, 0, 2, 1, 5]
    assert found.probs_NK[0].tolist() == pytest.approx([0.1] * 6 + [0.4])
    (environment,) = (root / "fakepeer").glob("environment-*")
    (environment / "node_modules" / "fakepeer" / "index.js").write_text(
        PACKAGE.replace("0.4", "NaN")
    )
    with pytest.raises(PeerMissingError, match=r"expected finite answers \(7, 7\)"):
        run_peer(peer, _images(), FER2013_CLASSES, root)
    with pytest.raises(PeerMissingError, match=r"^Error: no weights$"):
        run_peer(replace(peer, options=("broken",)), _images(), FER2013_CLASSES, root)
    with pytest.raises(PeerMissingError, match=r"answers \(7, 7\) for .* got \(6, 7\)"):
        run_peer(replace(peer, options=("short",)), _images(), FER2013_CLASSES, root)


@needs_node
def test_other_versions_get_another_environment(peer: Peer, tmp_path: Path) -> None:
    run_peer(peer, _images(), FER2013_CLASSES, tmp_path / "peers")
    _write_lock(tmp_path, (tmp_path / "absent.tgz").as_uri(), "sha512-AAAA")
    with pytest.raises(
        PeerMissingError, match=r"can't be installed: npm .*; `npm ping` checks its registry$"
    ):
        run_peer(peer, _images(), FER2013_CLASSES, tmp_path / "peers")


def test_without_node_a_package_of_npm_is_not_at_hand(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PeerMissingError, match=r"got no node; install Node\.js 18 or later"):
        run_peer(peer, _images(), FER2013_CLASSES, tmp_path / "peers")


@needs_node
def test_a_runner_of_node_times_as_one_of_python_does() -> None:
    constants = ("WARM_UP_IMAGES", "SHORT_S", "REPETITIONS")
    script = """
    const protocol = require(process.argv[1]);
    const images = Array.from({ length: 100 });
    const calls = [];
    const predict = async (some) => calls.push(some.length);
    (async () => {
      await protocol.timed(predict, images);
      let now = 0;
      performance.now = () => (now += 1e3 * protocol.SHORT_S);
      const { seconds } = await protocol.timed(predict, images);
      console.log(JSON.stringify({ ...protocol, calls, seconds }));
    })();
    """
    done = subprocess.run(
        ["node", "-e", script, str(NPM / "protocol.js")],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert [found[name] for name in constants] == [getattr(protocol, name) for name in constants]
    assert found["calls"] == [64, 100, 100, 100, 64, 100]
    assert found["seconds"] == protocol.SHORT_S


@pytest.mark.parametrize("peer", NPM_PEERS, ids=lambda peer: str(peer.package))
def test_every_npm_package_is_pinned_without_a_registry(peer: Peer) -> None:
    folder = NPM / peer.package
    wanted = json.loads((folder / "package.json").read_text("utf-8"))["dependencies"]
    lock = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    assert lock.pop("")["dependencies"] == wanted
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(one["integrity"].startswith("sha512-") for one in lock.values())
    assert not any("resolved" in one for one in lock.values())


def test_only_the_named_packages_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def stop(
        _faces: object, _speeds: object, _models: object, peers: list[Peer], **_: object
    ) -> None:
        given.extend(peer.name for peer in peers)
        raise FerError("that is enough")

    monkeypatch.setattr(command, "read_faces", lambda *_: SimpleNamespace(split="", labels=[]))
    monkeypatch.setattr(command, "bench_fer", stop)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arguments = ["--data", "x", "--out", str(tmp_path), "--peer", "human", "--peer", "fer"]
    assert main(arguments) == FerError.exit_code
    assert given == ["fer (keras)", "fer (tflite)", "fer (tflite, padded)", "@vladmandic/human"]
