"""Knowledge distillation: the predictions of earlier networks as part of the target.

A label is the judgement of one person; networks trained on all labels are less noisy (Hinton et al.
2015, arXiv:1503.02531; for one teacher of the same size: Furlanello et al. 2018, arXiv:1805.04770).

T teachers, N images, K classes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fer_models.storage.refs import FoldRef, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.inputs.data import Probabilities, SplitImages, TrainingData
from fer_models.training.predict import load_network, predict_probabilities

# Not the teacher's own TTA: ten views of every training image would take as long as an epoch.
_TEACHER_TTA = "flip"


def distill(
    store: ArtifactStore, data: TrainingData, teachers: Sequence[ModelRef | FoldRef]
) -> TrainingData:
    """Add the teachers' mean probabilities of the training images to the data.

    Without teachers the data is returned unchanged.

    Raises:
        StoreError: a teacher is missing or damaged, or is an ensemble.
    """
    if not teachers:
        return data
    probs_TNK = np.stack([_teacher_probs(store, teacher, data.train) for teacher in teachers])
    mean_NK: Probabilities = probs_TNK.mean(0, dtype=np.float64).astype(np.float32)
    return replace(data, train=replace(data.train, teacher_probs_NK=mean_NK))


def _teacher_probs(
    store: ArtifactStore, teacher: ModelRef | FoldRef, split: SplitImages
) -> Probabilities:
    network, preprocessing = load_network(store, teacher)
    preprocessing["tta"] = _TEACHER_TTA
    return predict_probabilities(network, preprocessing, split.images)
