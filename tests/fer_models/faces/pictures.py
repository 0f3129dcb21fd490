"""Photos with synthetic faces, which the detectors find as they find people's."""

import functools

import numpy as np
from PIL import Image

from fer_models.dataset.snapshot import Images
from fer_models.faces.found import Colours
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import generate_synthetic


@functools.cache
def synthetic_faces(count: int = 700) -> Images:
    """Faces without planted defects, uint8 N x 48 x 48."""
    synthetic = generate_synthetic(SyntheticConfig(num_images=count), seed=0)
    return synthetic.images[(synthetic.truth["defect"] == "").to_numpy()]


def photo(*places: tuple[int, int, int], size: tuple[int, int] = (480, 320)) -> Colours:
    """A plain picture of a width and height, with faces at (left, top, side)."""
    picture = Image.new("RGB", size, (120, 110, 100))
    for face, (left, top, side) in zip(synthetic_faces()[1:], places, strict=False):
        resized = Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)
        picture.paste(resized.convert("RGB"), (left, top))
    return np.array(picture)
