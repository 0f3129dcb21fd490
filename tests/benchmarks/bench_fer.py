"""The shipped models and other packages on the same images of FER2013, in one run.

    make bench-fer ARGS='--data fer2013.csv --data fer2013new.csv --split PrivateTest'
    make bench-fer ARGS='--data fer2013_train_public.parquet --split PublicTest'

Accuracy on the official split, without exact and without near copies of Training images, with 95 %
intervals over groups of copies; images/s; paired McNemar tests; and what is left: confusions,
classes, calibration, the crowd's votes. Other packages run in environments of their own, which the
first run makes; those that can't be had are listed with the reason. Face detection is off: all get
the same crops of 48 x 48 px. See docs/results.md.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fer_models.bundles.speed import SPEEDS, Speed
from fer_models.errors import ConfigError, FerError
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore, default_cache_dir
from tests.benchmarks.results.entrants import Entrant, left_out, open_named, shipped_entrants
from tests.benchmarks.results.environments import PeerMissingError
from tests.benchmarks.results.faces import OFFICIAL, SPLITS, LabelledFaces, read_faces
from tests.benchmarks.results.left import what_is_left
from tests.benchmarks.results.peers import PEERS, NotAtHand, Peer, run_peer
from tests.benchmarks.results.pictures import draw_errors, plot_costs
from tests.benchmarks.results.scores import best_of, score_all
from tests.benchmarks.results.tables import Results, as_json, entrant_line, markdown

_DEFAULT_OUT = Path(".ferflow") / "bench-fer"


def bench_fer(
    faces: LabelledFaces,
    speeds: Sequence[Speed] = SPEEDS,
    models: Sequence[tuple[str, ArtifactStore]] = (),
    peers: Sequence[Peer] = PEERS,
    *,
    root: Path,
    command: str = "",
) -> Results:
    """Let everybody predict the same images, and score them.

    Args:
        faces: the images.
        speeds: of ferflow's models.
        models: further models, as of `ferflow predict --model`, and the store to look in.
        peers: other packages.
        root: folder for their environments.
        command: that repeats it, for the results.
    """
    # All are opened first, so that a wrong name costs no minutes.
    opened = [open_named(name, faces, speed, store) for name, store in models for speed in speeds]
    entrants = [_told(one) for one in shipped_entrants(faces, speeds)]
    entrants += [_told(one.predict(faces)) for one in opened]
    missing = []
    for peer in peers:
        try:
            entrants.append(_told(run_peer(peer, faces.images, faces.classes, root)))
        except PeerMissingError as error:
            _say(f"{peer.name}: not at hand: {error.message}")
            missing.append(NotAtHand(peer, error.message))
    own = [one for one in entrants if not one.is_peer]
    left = what_is_left(best_of(own, faces), faces)
    scores = score_all(entrants, faces)
    return Results(faces, command, scores, missing, left_out(faces.split), left)


def write_results(results: Results, out: Path) -> None:
    """Write `results.md`, `results.json`, `cost.png`, and `errors.png` with faces of the data."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.md").write_text(markdown(results), "utf-8")
    (out / "results.json").write_text(json.dumps(as_json(results), indent=1), "utf-8")
    plot_costs(results.scores, f"{results.title} ({OFFICIAL})", out / "cost.png")
    if results.left.noise is not None:
        draw_errors(results.left.entrant, results.faces, out / "errors.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 2 for wrong input."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    try:
        results = _measured(options, f"make bench-fer ARGS={shlex.quote(shlex.join(given))}")
    except FerError as error:
        _say(f"error: {error}")
        return error.exit_code
    write_results(results, options.out)
    print(markdown(results))
    _say(f"written: {options.out}/results.md, results.json, cost.png, errors.png")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-fer", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        help="a source of FER2013 or FER+'s votes; repeatable",
    )
    parser.add_argument(
        "--split", choices=list(SPLITS), help="default: the last of these that the data has"
    )
    parser.add_argument("--speed", action="append", choices=get_args(Speed), help="default: all")
    parser.add_argument(
        "--model", action="append", default=[], help="a further model, as of `ferflow predict`"
    )
    parser.add_argument("--store", default=".ferflow/store", help="of these models")
    peers = parser.add_mutually_exclusive_group()
    packages = sorted({peer.package for peer in PEERS})
    peers.add_argument(
        "--peer", action="append", choices=packages, help="only this package; repeatable"
    )
    peers.add_argument("--no-peers", action="store_true", help="without other packages")
    parser.add_argument("--cores", type=int, help="cores to use; default: all")
    parser.add_argument("--out", type=Path, default=_DEFAULT_OUT, help=f"default: {_DEFAULT_OUT}")
    return parser


def _measured(options: argparse.Namespace, command: str) -> Results:
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--out: expected a folder to write to, got {options.out} ({error.strerror}); choose "
            "another one"
        ) from error
    _use_cores(options.cores)
    cache = default_cache_dir()
    faces = read_faces(options.data, options.split, _store(cache / "bench-fer"))
    _say(f"{faces.split}: {len(faces.labels):,} images")
    return bench_fer(
        faces,
        [speed for speed in SPEEDS if speed in (options.speed or SPEEDS)],
        [(name, _store(options.store)) for name in options.model],
        () if options.no_peers else _peers(options.peer),
        root=cache / "peers",
        command=command,
    )


def _peers(packages: Sequence[str] | None) -> Sequence[Peer]:
    return [peer for peer in PEERS if packages is None or peer.package in packages]


def _use_cores(count: int | None) -> None:
    """Bind this process and those that it starts to so many cores."""
    if count is None:
        return
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not 1 <= count <= len(available):
        raise ConfigError(
            f"--cores: expected 1 to {len(available)}, the cores of this machine, got {count}"
        )
    os.sched_setaffinity(0, available[:count])


def _store(url: str | Path) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(url)))


def _told(one: Entrant) -> Entrant:
    _say(entrant_line(one))
    return one


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
