"""What earlier networks say of the training images, for another to learn from.

A label is one person's word; what several networks made of all labels is steadier (Hinton et al.
2015, arXiv:1503.02531; for one teacher of the same size: Furlanello et al. 2018, arXiv:1805.04770).

T teachers, N images, K classes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.inputs.data import Probabilities, SplitImages, TrainingData
from fer_models.training.predict import load_network, predict_probabilities

# A training image is seen once; ten crops of each would take as long as an epoch.
_VIEWS = "flip"


def distill(store: ArtifactStore, data: TrainingData, teachers: Sequence[ModelRef]) -> TrainingData:
    """The data with what the teachers say of its training images; as it is without teachers.

    Raises:
        StoreError: a teacher is absent or damaged, or is an ensemble.
    """
    if not teachers:
        return data
    opinions_TNK = np.stack([_opinion(store, teacher, data.train) for teacher in teachers])
    mean_NK: Probabilities = opinions_TNK.mean(0, dtype=np.float64).astype(np.float32)
    return replace(data, train=replace(data.train, teacher_probs_NK=mean_NK))


def _opinion(store: ArtifactStore, teacher: ModelRef, split: SplitImages) -> Probabilities:
    network, preprocessing = load_network(store, teacher)
    preprocessing["tta"] = _VIEWS
    return predict_probabilities(network, preprocessing, split.images)
