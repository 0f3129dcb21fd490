"""Consistent teachers, which predict the augmented images that the student learns from.

B images of a batch, N of a copy of the training images, K classes.
"""

import hashlib
import logging
import time
import uuid
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fer_models.progress import report
from fer_models.storage.store import default_cache_dir
from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.batches import as_float, eval_batch_size, to_inputs
from fer_models.training.inputs.copies import COPY_CHUNK
from fer_models.training.inputs.data import Teacher
from fer_models.training.inputs.tta import tta_views
from fer_models.training.objective.distillation import TEACHER_TTA
from fer_models.training.runtime import resolve_precision

_MAX_AGE_S = 14 * 86_400.0
_NOTE = "the teachers predict an augmented copy of the training images"
_LOGGER = logging.getLogger(__name__)


class ConsistentTeachers:
    """The mean prediction of several networks by share, over each image and its mirror image.

    Predictions of a copy of the training images are kept in the cache folder, by the content of
    images and weights. So a resumed training, and another student, need not predict it again.
    """

    def __init__(
        self, teachers: Sequence[Teacher], config: TrainingConfig, device: torch.device
    ) -> None:
        """Put the teachers on `device`; they predict in the precision of the training."""
        self._teachers = [
            Teacher(
                teacher.network.eval().to(device).to(memory_format=torch.channels_last),
                teacher.preprocessing,
                teacher.share,
            )
            for teacher in teachers
        ]
        self._precision = resolve_precision(config, device)
        self._device = device

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities B x K of images B x C x H x W on the 0..1 scale."""
        with torch.no_grad(), self._autocast():
            parts = [
                teacher.share * self._mean_of_views(teacher, images) for teacher in self._teachers
            ]
        return torch.stack(parts).sum(0) / sum(teacher.share for teacher in self._teachers)

    @staticmethod
    def _mean_of_views(teacher: Teacher, images: Tensor) -> Tensor:
        probs = [
            torch.softmax(teacher.network(to_inputs(view, teacher.preprocessing)).float(), 1)
            for view in tta_views(images, TEACHER_TTA)
        ]
        return torch.stack(probs).mean(0)

    def of_copy(self, images: Tensor) -> Tensor:
        """Probabilities N x K of uint8 images N x H x W (x 3), read from the cache if possible.

        They are kept by chunks: a final fit learns from the same images, and then from the
        validation images, so only the last chunks of its copies are predicted.
        """
        parts, done = [], 0
        for chunk in torch.split(images, COPY_CHUNK):
            file = default_cache_dir() / "teachers" / f"{self._key(chunk)}.npy"
            probs_NK = _read(file, len(chunk))
            if probs_NK is None:
                probs_NK = self._predicted(chunk, done, len(images))
                _write(file, probs_NK)
            parts.append(probs_NK)
            done += len(chunk)
        return torch.cat(parts).to(self._device)

    def _predicted(self, chunk: Tensor, done: int, total: int) -> Tensor:
        """Probabilities of a chunk, with progress: large teachers take minutes for a copy."""
        side_px = max(teacher.preprocessing["image_size_px"] for teacher in self._teachers)
        parts = []
        for part in torch.split(chunk, eval_batch_size(side_px, self._device)):
            parts.append(self(as_float(part)))
            done += len(part)
            report("train", done, total, "images", note=_NOTE)
        return torch.cat(parts).cpu()

    def _key(self, chunk: Tensor) -> str:
        digest = hashlib.sha256(self._teachers_key)
        digest.update(chunk.cpu().numpy().tobytes())
        return digest.hexdigest()[:24]

    @cached_property
    def _teachers_key(self) -> bytes:
        digest = hashlib.sha256(f"{self._precision} {self._device.type}".encode())
        for teacher in self._teachers:
            digest.update(repr((sorted(teacher.preprocessing.items()), teacher.share)).encode())
            for name, weights in teacher.network.state_dict().items():
                digest.update(name.encode())
                digest.update(weights.detach().cpu().contiguous().numpy().tobytes())
        return digest.digest()

    def _autocast(self) -> torch.autocast:
        dtype = torch.float16 if self._precision == "16-mixed" else torch.bfloat16
        enabled = self._precision != "32-true"
        return torch.autocast(self._device.type, dtype, enabled=enabled)


def _read(file: Path, num_images: int) -> Tensor | None:
    try:
        probs_NK = np.load(file)
    except (OSError, ValueError, EOFError):
        return None
    return torch.from_numpy(probs_NK) if len(probs_NK) == num_images else None


def _write(file: Path, probs_NK: Tensor) -> None:
    """Write atomically, and remove what is too old; a folder that can't be written is no error."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{uuid.uuid4().hex}.part")
        with partial.open("wb") as stream:
            np.save(stream, probs_NK.numpy())
        partial.replace(file)
        oldest_s = time.time() - _MAX_AGE_S
        for other in file.parent.iterdir():
            if other.stat().st_mtime < oldest_s:
                other.unlink(missing_ok=True)
    except OSError as error:
        _LOGGER.warning("can't keep the teachers' predictions in %s (%s)", file.parent, error)
