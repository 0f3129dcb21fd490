"""Other packages on the same images, each in an environment and a process of its own.

N images, C classes of the package, K classes of the data.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_models.classes.class_list import ClassList
from fer_models.classes.names import emotion_of
from tests.benchmarks.results.entrants import Entrant
from tests.benchmarks.results.environments import (
    Done,
    PeerMissingError,
    environment_of,
    last_line,
    run,
)

RUNNERS = Path(__file__).parents[1] / "peer_runners"
_RUN_S = 3600


@dataclass(frozen=True)
class Peer:
    """A way to call a package.

    Attributes:
        name: in the tables.
        package: its pinned requirements are `<package>.txt` beside the runner, or, of npm,
            `<package>/package-lock.json`.
        runner: the script that calls it.
        options: of the script.
        called: how the crops get into the package, for the page.
        learned: what it was trained and chosen on, as far as its authors say.
        weights: the files that the package downloads, in the folder it takes for home; none if
            the package ships them.
    """

    name: str
    package: str
    runner: Path
    options: tuple[str, ...]
    called: str
    learned: str
    weights: tuple[str, ...] = ()


_BARE = "the crop is the face box, without a margin"
_FER_LEARNED = "FER2013's Training; epoch chosen on PublicTest and PrivateTest"
PEERS = (
    Peer(
        "fer (keras)",
        "fer",
        RUNNERS / "run_fer.py",
        (),
        f"`FER(use_tflite=False)._classify_emotions`, resized to 64 x 64 as it does; {_BARE}",
        _FER_LEARNED,
    ),
    Peer(
        "fer (tflite)",
        "fer",
        RUNNERS / "run_fer.py",
        ("tflite",),
        f"`FER()._classify_emotions`, its default, the same network quantised; {_BARE}",
        _FER_LEARNED,
    ),
    Peer(
        "fer (tflite, padded)",
        "fer",
        RUNNERS / "run_fer.py",
        ("tflite", "padded"),
        "the same, with the margin of 10 px that `FER.detect_emotions` adds to every face box",
        _FER_LEARNED,
    ),
    Peer(
        "facex",
        "facex",
        RUNNERS / "run_facex.py",
        (),
        f"`EmotionClassifier.detect_emotion`, resized to 200 x 200 as it does; {_BARE}",
        "not said",
    ),
    Peer(
        "facial-emotion-recognition",
        "facial-emotion-recognition",
        RUNNERS / "run_facial_emotion_recognition.py",
        (),
        "the network and the transform of `EmotionRecognition._predict`, which can't load its "
        f"checkpoint without a GPU: it is put on the processor here; {_BARE}",
        "FER2013, according to its references; with which split is not said",
    ),
    Peer(
        "deepface",
        "deepface",
        RUNNERS / "run_deepface.py",
        (),
        "`EmotionClient().predict`, as `DeepFace.analyze(detector_backend='skip')` calls it",
        "FER2013's Training",
        (".deepface/weights/facial_expression_model_weights.onnx",),
    ),
    Peer(
        "rmn",
        "rmn",
        RUNNERS / "run_rmn.py",
        (),
        "`RMN(face_detector=False).detect_emotion_for_single_face_image`, resized to 224 x 224",
        "FER2013's Training",
        ("pretrained_ckpt", "face_detection_yunet_2023mar.onnx"),
    ),
    Peer(
        "hsemotion-onnx enet_b2_7",
        "hsemotion-onnx",
        RUNNERS / "run_hsemotion.py",
        ("enet_b2_7",),
        "`HSEmotionRecognizer('enet_b2_7').predict_multi_emotions`, resized to 260 x 260",
        "AffectNet; never saw FER2013",
        (".hsemotion/enet_b2_7.onnx",),
    ),
    Peer(
        "emotiefflib enet_b0_8_best_vgaf",
        "emotiefflib",
        RUNNERS / "run_emotiefflib.py",
        ("enet_b0_8_best_vgaf",),
        "`EmotiEffLibRecognizer(engine='onnx').predict_emotions`, resized to 224 x 224; contempt "
        "is left out",
        "AffectNet and VGAF; never saw FER2013",
        (".emotiefflib/enet_b0_8_best_vgaf.onnx",),
    ),
    Peer(
        "@vladmandic/face-api",
        "face-api",
        RUNNERS / "npm" / "run_face_api.js",
        (),
        f"`nets.faceExpressionNet.predictExpressions` by tfjs, resized to 112 x 112; {_BARE}",
        "public data sets and images of the web; whether FER2013 is among them is not said",
    ),
    Peer(
        "@vladmandic/human",
        "human",
        RUNNERS / "npm" / "run_human.js",
        (),
        "the network of `emotion.json` by tfjs, resized to 192 x 192, then 64 x 64, as `detect` "
        f"does; {_BARE}",
        _FER_LEARNED,
    ),
)


@dataclass(frozen=True)
class NotAtHand:
    """A peer that is listed without figures."""

    peer: Peer
    reason: str


def run_peer(peer: Peer, images: np.ndarray, classes: ClassList, root: Path) -> Entrant:
    """Install a package into an environment of its own, and let it predict.

    Args:
        peer: how to call it.
        images: uint8 N x 48 x 48.
        classes: K classes in the order of the result; those that only the package knows are left
            out, and the others then sum to 1.
        root: folder for the environments and the files that packages download.

    Raises:
        PeerMissingError: it can't be installed, or does not predict; the message is the reason.
    """
    environment = environment_of(peer.package, peer.runner, root)
    home = root / peer.package / "home"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        images_file, answer = Path(folder) / "images.npy", Path(folder) / environment.answer
        np.save(images_file, images)
        command = [environment.program, peer.runner, images_file, answer, *peer.options]
        variables = {**environment.variables, "HOME": str(home)}
        _check(run([str(part) for part in command], _RUN_S, home, variables), peer, home)
        found = _read(answer)
    probs_NC, names = np.asarray(found["probs"], dtype=np.float64), list(map(str, found["classes"]))
    return Entrant(
        name=peer.name,
        is_peer=True,
        probs_NK=_ordered(probs_NC, names, classes, images),
        parameters=int(found["parameters"]),
        views=1,
        seconds=float(found["seconds"]),
        cpu_seconds=float(found["cpu_seconds"]),
        called=peer.called,
        learned=peer.learned,
    )


def _check(done: Done, peer: Peer, home: Path) -> None:
    if done.returncode == 0:
        return
    reason = last_line(done.stderr) or f"ended with {done.returncode}"
    lacking = [name for name in peer.weights if not (home / name).exists()]
    if lacking:
        reason = (
            f"its weights can't be downloaded ({reason}); put {' and '.join(lacking)} into {home}"
        )
    raise PeerMissingError(reason)


def _read(answer: Path) -> Mapping[str, Any]:
    """What a runner wrote: arrays of Python's, the same as JSON of node's."""
    if answer.suffix == ".json":
        return dict(json.loads(answer.read_text("utf-8")))
    with np.load(answer) as arrays:
        return dict(arrays)


def _ordered(
    probs_NC: np.ndarray, names: Sequence[str], classes: ClassList, images: np.ndarray
) -> np.ndarray:
    """The probabilities N x K in the order of the data's classes."""
    known = [emotion_of(name) for name in names]
    wanted = [emotion_of(name) for name in classes.names]
    lacking = [name for name in wanted if name not in known]
    expected = (len(images), len(names))
    if lacking or probs_NC.shape != expected or not np.isfinite(probs_NC).all():
        raise PeerMissingError(
            f"expected finite answers {expected} for {', '.join(wanted)} among the classes, got "
            f"{probs_NC.shape} for {', '.join(names)}"
        )
    kept_NK = probs_NC[:, [known.index(name) for name in wanted]]
    sums_N1 = kept_NK.sum(axis=1, keepdims=True)
    return np.where(sums_N1 > 0, kept_NK / np.where(sums_N1 > 0, sums_N1, 1), 1 / len(wanted))
