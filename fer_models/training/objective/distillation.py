"""Knowledge distillation: the predictions of earlier networks as part of the target.

A label is the judgement of one person; networks trained on all labels are less noisy (Hinton et al.
2015, arXiv:1503.02531; for one teacher of the same size: Furlanello et al. 2018, arXiv:1805.04770).
Consistent teachers predict the very images that the student learns from, augmented and mixed, over
long trainings (Beyer et al. 2022, arXiv:2106.05237).

T teachers, N images, K classes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from fer_models.classes.class_list import ClassList
from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network
from fer_models.models.pretrained.shipped import ShippedNetwork, read_networks
from fer_models.storage.refs import FoldRef, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import BUNDLED, MemberConfig
from fer_models.training.inputs.data import Preprocessing, Probabilities, Teacher, TrainingData
from fer_models.training.predict import load_network, predict_probabilities

# Not the teacher's own TTA: ten views of every training image would take as long as an epoch.
TEACHER_TTA = "flip"


def distill(
    store: ArtifactStore,
    data: TrainingData,
    member: MemberConfig,
    teachers: Sequence[ModelRef | FoldRef],
) -> TrainingData:
    """Add the teachers to the data: their mean probabilities, or consistent ones themselves.

    Each teacher counts as much as another; a shipped ensemble is one teacher, the weighted mean of
    its networks. Without teachers the data is returned unchanged.

    Args:
        store: holds the trained teachers.
        data: the training images.
        member: names the shipped teachers, and how they teach.
        teachers: its trained teachers.

    Raises:
        ConfigError: there are no shipped weights of that name, or they know other classes.
        StoreError: a teacher is missing or damaged, or is an ensemble.
    """
    loaded = [Teacher(*load_network(store, teacher)) for teacher in teachers]
    for teacher, ref in zip(loaded, teachers, strict=True):
        _require_classes(ref.id, teacher.preprocessing, data.classes)
    for name in member.bundled_teachers:
        loaded += bundled_teachers(name, data.classes)
    if not loaded:
        return data
    for teacher in loaded:
        teacher.preprocessing["tta"] = TEACHER_TTA
    if member.training.consistent_teachers:
        return replace(data, teachers=tuple(loaded))
    images, shares = data.train.images, [one.share for one in loaded]
    probs_TNK = [predict_probabilities(one.network, one.preprocessing, images) for one in loaded]
    mean_NK: Probabilities = np.average(probs_TNK, 0, shares).astype(np.float32)
    return replace(data, train=replace(data.train, teacher_probs_NK=mean_NK))


def bundled_teachers(name: str, classes: ClassList) -> list[Teacher]:
    """The network of shipped weights, or those of an ensemble, for images of these classes.

    Raises:
        ConfigError: there are no shipped weights of that name, or they know other classes.
    """
    return [_teacher(name, network, classes) for network in read_networks(name)]


def _teacher(name: str, shipped: ShippedNetwork, classes: ClassList) -> Teacher:
    from safetensors.torch import load

    preprocessing = cast("Preprocessing", shipped.facts["preprocessing"])
    _require_classes(f"{BUNDLED}{name}", preprocessing, classes)
    config = NetworkConfig.model_validate(shipped.facts["member"]["network"])
    network = build_empty_network(config, len(classes))
    network.load_state_dict({key: value.float() for key, value in load(shipped.weights).items()})
    return Teacher(network.eval(), preprocessing, shipped.share)


def _require_classes(name: str, preprocessing: Preprocessing, classes: ClassList) -> None:
    if tuple(preprocessing["classes"]) != classes.names:
        raise ConfigError(
            f"teacher {name}: expected the classes of the data ({', '.join(classes.names)}"
            f"), got {', '.join(preprocessing['classes'])}; leave it out of teachers"
        )
