"""Training data of a snapshot (uint8 images in memory) and its preprocessing.

N images, C channels, S side of the network's input in pixels, K classes, V vote columns of FER+.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.dataset.image_stats import pixel_mean_and_std
from fer_models.dataset.snapshot import DatasetSnapshot, Images
from fer_models.errors import DataError
from fer_models.labels import VOTE_COLUMNS
from fer_models.models.config import NetworkConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

Labels = npt.NDArray[np.int64]
Votes = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float32]
_GREY_LEVELS = 256
_MIN_TRAIN_IMAGES = 2  # batch normalisation can't learn from one


class Preprocessing(TypedDict):
    """How images become network inputs; `mean` and `std` of all values on the 0..1 scale.

    `tta` names the test-time augmentation, see `fer_models.training.inputs.tta`.
    """

    image_size_px: int
    in_channels: int
    mean: float
    std: float
    classes: list[str]
    tta: NotRequired[str]
    image_format: NotRequired[dict[str, Any]]
    """Fields of the `ImageFormat` of the training images; absent: 48 px grey."""


@dataclass(frozen=True)
class SplitImages:
    """The images (uint8 N x 48 x 48) and class numbers (N) of one split.

    `votes_NV` holds the FER+ votes in the order of `VOTE_COLUMNS`; zeros if an image has none.
    `teacher_probs_NK` holds the teachers' mean probabilities, if there are teachers.
    """

    images: Images
    labels: Labels
    votes_NV: Votes | None = None
    teacher_probs_NK: Probabilities | None = None
    classes: ClassList = FER2013_CLASSES
    image_format: ImageFormat = THUMBNAIL

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """Size in memory, bytes."""
        arrays = (self.images, self.labels, self.votes_NV, self.teacher_probs_NK)
        return sum(array.nbytes for array in arrays if array is not None)

    def at(self, positions: npt.NDArray[np.int64]) -> "SplitImages":
        """The images at these positions, with labels, votes and teacher probabilities."""
        return replace(
            self,
            images=self.images[positions],
            labels=self.labels[positions],
            votes_NV=None if self.votes_NV is None else self.votes_NV[positions],
            teacher_probs_NK=(
                None if self.teacher_probs_NK is None else self.teacher_probs_NK[positions]
            ),
        )

    @property
    def num_with_votes(self) -> int:
        """Number of images with at least one vote."""
        return 0 if self.votes_NV is None else int((self.votes_NV.sum(1) > 0).sum())


class Teacher(NamedTuple):
    """A trained network in evaluation mode, and how its inputs are prepared.

    `share` is its weight in the ensemble that it teaches with, 1 for a network alone.
    """

    network: "nn.Module"
    preprocessing: Preprocessing
    share: float = 1.0


@dataclass(frozen=True)
class TrainingData:
    """The images to train on, and the validation images that choose the best epoch.

    `initial_weights` is what the network starts from (its state dict); None: random or pretrained
    weights. `stop_epoch` ends the training after that epoch and keeps it; there are then no
    validation images. The schedules remain those of all epochs. `teachers` are consistent ones,
    which predict augmented images during the training.
    """

    train: SplitImages
    validation: SplitImages
    initial_weights: "Mapping[str, Tensor] | None" = None
    stop_epoch: int | None = None
    teachers: tuple[Teacher, ...] = ()

    @property
    def classes(self) -> ClassList:
        """The classes that the labels number."""
        return self.train.classes

    @property
    def nbytes(self) -> int:
        """Size in memory, bytes."""
        return self.train.nbytes + self.validation.nbytes


def split_images(snapshot: DatasetSnapshot, split: str) -> SplitImages:
    """The kept, labelled images of a split, in the order of `snapshot.positions(split)`."""
    return images_at(snapshot, snapshot.positions(split))


def images_at(snapshot: DatasetSnapshot, positions: npt.NDArray[np.int64]) -> SplitImages:
    """The images at these row positions of the manifest."""
    votes_NV = snapshot.manifest[list(VOTE_COLUMNS)].to_numpy(dtype=np.float32)[positions]
    # The manifest holds -1 for an image without votes.
    return SplitImages(
        np.asarray(snapshot.images[positions]),
        snapshot.labels(positions),
        np.maximum(votes_NV, 0),
        classes=snapshot.classes,
        image_format=snapshot.image_format,
    )


def class_votes(votes_NV: Votes, classes: ClassList) -> Votes:
    """Convert FER+ votes N x V to votes N x K for the K classes; other votes are dropped."""
    votes_NK = np.zeros((len(votes_NV), len(classes)), dtype=np.float32)
    for vote, number in enumerate(classes.vote_classes().tolist()):
        if number >= 0:
            votes_NK[:, number] += votes_NV[:, vote]
    return votes_NK


def training_data(snapshot: DatasetSnapshot) -> TrainingData:
    """The training and validation images of a snapshot.

    Raises:
        DataError: a split has too few images; both splits are reported together.
    """
    data = TrainingData(split_images(snapshot, "train"), split_images(snapshot, "validation"))
    problems = []
    if len(data.train) < _MIN_TRAIN_IMAGES:
        problems.append(
            f"train: expected at least {_MIN_TRAIN_IMAGES} kept, labelled images, "
            f"got {len(data.train)}"
        )
    if not len(data.validation):
        problems.append("validation: expected at least 1 kept, labelled image, got 0")
    if problems:
        raise DataError(
            f"snapshot {snapshot.ref.id[:12]} can't be trained on; split it first "
            "(ferflow task split), or loosen the cleaning policy",
            problems,
        )
    return data


def final_data(snapshot: DatasetSnapshot, stop_epoch: int) -> TrainingData:
    """The training and the validation images of a snapshot, to train on all of them.

    Without validation images no epoch can be chosen: the training ends after `stop_epoch`. Images
    of the test split are never among them.
    """
    positions = np.concatenate([snapshot.positions(split) for split in ("train", "validation")])
    images = images_at(snapshot, np.sort(positions))
    return TrainingData(images, images.at(positions[:0]), stop_epoch=stop_epoch)


def preprocessing_for(
    network: NetworkConfig,
    images: Images,
    classes: ClassList = FER2013_CLASSES,
    image_format: ImageFormat = THUMBNAIL,
) -> Preprocessing:
    """Preprocessing for `network`, normalised by mean and standard deviation of `images`."""
    mean, std = grey_statistics(images)
    preprocessing = Preprocessing(
        image_size_px=network.side_px,
        in_channels=network.input_channels,
        mean=mean,
        std=std,
        classes=list(classes.names),
    )
    if not image_format.is_plain:
        preprocessing["image_format"] = asdict(image_format)
    return preprocessing


def grey_statistics(images: Images) -> tuple[float, float]:
    """Mean and standard deviation of all pixels on the 0..1 scale; std is at least 1/255.

    The sums are exact integers, so the result does not depend on the order of the images.
    """
    mean, std = pixel_mean_and_std(images)
    scale = _GREY_LEVELS - 1
    return mean / scale, max(std, 1.0) / scale
