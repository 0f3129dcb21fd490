"""The choice on real faces: the shipped networks on PublicTest, chosen and tested on halves."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.bundles.bundle import load_bundle
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.images import Images
from fer_models.ensembling.scores import Ints, Resampled
from fer_models.training.predict import predict_probabilities
from tests.fer_models.ensembling.simulated import selection_of

pytestmark = [pytest.mark.real_data, pytest.mark.slow]
REAL_DATA = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"
SPLITS = 8


@pytest.fixture(scope="module")
def members() -> Images:
    """Predictions of both shipped networks, without TTA; the group of an image are its copies."""
    if not REAL_DATA.exists():
        pytest.skip(f"no real FER2013 images at {REAL_DATA}")
    table = pd.read_parquet(REAL_DATA, filters=[("Usage", "==", "PublicTest")])
    faces = np.stack([np.array(Image.open(io.BytesIO(png)).convert("L")) for png in table["png"]])
    probs = []
    for name in ("face_cnn", "face_cnn_large"):
        network, preprocessing, _ = load_bundle(name)
        preprocessing["tta"] = "none"
        probs.append(predict_probabilities(network, preprocessing, faces).astype(np.float64))
    groups_N = pd.factorize(pd.Series([face.tobytes() for face in faces]))[0].astype(np.int64)
    labels_N = table["emotion"].to_numpy(dtype=np.int64)
    return Images(labels_N, groups_N, groups_N % 5, np.stack(probs))


def halves(groups_N: Ints) -> Iterator[tuple[Ints, Ints]]:
    for seed in range(SPLITS):
        in_first = np.random.default_rng(seed).random(groups_N.max() + 1) < 0.5
        yield np.flatnonzero(in_first[groups_N]), np.flatnonzero(~in_first[groups_N])


def test_the_choice_is_no_worse_than_the_best_member_and_as_good_as_estimated(
    members: Images,
) -> None:
    gains, differences, ensembles = [], [], 0
    for first, second in halves(members.groups_N):
        images = Images(
            members.labels_N[first],
            members.groups_N[first],
            members.folds_N[first],
            members.probs_MNK[:, first],
        )
        selection = selection_of(images, EnsembleConfig())
        chosen, best = selection.choose(selection.eligible), selection.best_member()
        accuracies = [
            (
                contender.fitted.final().predict(members.probs_MNK[:, second]).argmax(axis=1)
                == members.labels_N[second]
            ).mean()
            for contender in (selection.contenders[chosen], selection.contenders[best])
        ]
        gains.append(accuracies[0] - accuracies[1])
        ensembles += not selection.contenders[chosen].is_single
        nested = selection.nested(selection.eligible).probs_NK
        estimate = Resampled("accuracy", [nested], images.labels_N, images.bootstrap).score(0)
        # Both halves are samples: the difference has twice the variance of one of them.
        half_width = (estimate.high - estimate.low) / 2
        differences.append((estimate.value - accuracies[0]) / (np.sqrt(2) * half_width))
    assert ensembles > 0
    assert min(gains) >= 0
    assert np.mean(np.abs(differences) <= 1) >= 0.8
