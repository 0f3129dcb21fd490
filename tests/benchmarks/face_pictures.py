"""Photos with faces whose place is known, crops with margins, and pictures without a face.

Backgrounds are the two photos of scikit-learn (china.jpg, flower.jpg), in which nobody is seen.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

from fer_models.dataset.snapshot import Images
from fer_models.faces.cut import Frame
from fer_models.faces.found import Colours, FoundFace

PHOTO_SIZE = (640, 480)
SMALLEST_PX, LARGEST_PX = 40, 320
MOST_ROTATED_DEG = 20
FEATHER = 0.06
"""Of the side: over this width a pasted crop blends into the photo, as faces have no frame."""
Fade = Literal["inside", "outside"]
"""Where it blends: in the crop's own outermost pixels, or in a border that repeats them."""


@dataclass(frozen=True)
class Scene:
    """A photo with one face: the crop it was made of, and its square in the photo."""

    photo: Colours
    crop: npt.NDArray[np.uint8]
    label: int
    centre: tuple[float, float]
    side_px: int
    angle_deg: float
    """By which it is rotated, clockwise."""

    @property
    def square(self) -> Frame:
        """What a perfect detector would have cut out."""
        return Frame(np.array(self.centre), float(self.side_px), float(np.deg2rad(self.angle_deg)))

    def shows(self, face: FoundFace) -> bool:
        """Whether a found face is the pasted one: its centre and size are about right."""
        left, top, right, bottom = face.box
        x, y = (left + right) / 2 - self.centre[0], (top + bottom) / 2 - self.centre[1]
        size = max(right - left, bottom - top) / self.side_px
        return max(abs(x), abs(y)) < 0.25 * self.side_px and 0.45 < size < 1.6


def public_test(table: Path) -> tuple[Images, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Images, labels and "not a face" votes of FER2013's PublicTest."""
    frame = pd.read_parquet(table)
    frame = frame[frame["Usage"] == "PublicTest"]
    images = np.stack(
        [np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png in frame["png"]]
    )
    return images, frame["emotion"].to_numpy(), frame["ferplus_NF"].to_numpy()


def scenes(
    images: Images, labels: npt.NDArray[np.int64], count: int, seed: int, fade: Fade = "inside"
) -> Iterator[Scene]:
    """Crops without replacement, 40 to 320 px (log-uniform), rotated up to 20 degrees, pasted."""
    rng = np.random.default_rng(seed)
    for row in rng.choice(len(images), count, replace=False):
        photo = background(rng, PHOTO_SIZE)
        side = round(float(np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(LARGEST_PX)))))
        angle = rng.uniform(-MOST_ROTATED_DEG, MOST_ROTATED_DEG)
        face, mask = (
            one.rotate(-angle, Image.Resampling.BICUBIC, expand=True)
            for one in _faded(images[row], side, fade)
        )
        x = int(rng.integers(0, max(1, photo.width - face.width + 1)))
        y = int(rng.integers(0, max(1, photo.height - face.height + 1)))
        photo.paste(face.convert("RGB"), (x, y), mask)
        centre = (x + face.width / 2, y + face.height / 2)
        yield Scene(np.array(photo), images[row], int(labels[row]), centre, side, angle)


def _faded(image: Images, side: int, fade: Fade) -> tuple[Image.Image, Image.Image]:
    """A crop at a size, and how opaque it is; fading outside, it is larger by a border."""
    if fade == "inside":
        return _resized(image, side), _mask(side)
    border = round(FEATHER * len(image))
    larger = round(side * (1 + 2 * border / len(image)))
    return _resized(np.pad(image, border, mode="edge"), larger), _mask(larger)


def background(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A part of one of the photos, by chance mirrored."""
    whole = Image.fromarray(load_sample_image(str(rng.choice(["china.jpg", "flower.jpg"]))))
    height = int(rng.uniform(0.5, 1) * min(whole.height, whole.width * size[1] / size[0]))
    width = int(height * size[0] / size[1])
    left = int(rng.integers(0, whole.width - width + 1))
    top = int(rng.integers(0, whole.height - height + 1))
    part = whole.crop((left, top, left + width, top + height)).resize(size)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part


def crop_with_margin(image: Images, margin: float, rng: np.random.Generator) -> Colours:
    """A crop of 224 x 224 px whose face has a background of `margin` of its side around it."""
    side = round(224 / (1 + 2 * margin))
    picture = background(rng, (224, 224))
    offset = (224 - side) // 2
    picture.paste(_resized(image, side).convert("RGB"), (offset, offset), _mask(side))
    return np.array(picture if margin else _resized(image, 224).convert("RGB"))


def page_of_text(rng: np.random.Generator) -> Image.Image:
    """A page of 600 x 800 px with 40 lines of letters."""
    page = Image.new("L", (600, 800), 255)
    draw = ImageDraw.Draw(page)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    for line in range(40):
        words = ("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(12))
        draw.text((30, 20 + 18 * line), " ".join(words), fill=0)
    return page


def non_faces(faces: Images, count: int, rng: np.random.Generator) -> dict[str, Images]:
    """48 x 48 images of other things; shuffled faces have the grey values of faces."""
    ramp = np.linspace(0, 255, 48)
    angles = rng.uniform(0, np.pi / 2, size=count)
    ramps = [np.cos(one) * ramp + np.sin(one) * ramp[:, None] for one in angles]
    tiles = faces[:count].reshape(-1, 4, 12, 4, 12).swapaxes(2, 3).reshape(-1, 16, 12, 12)
    mixed = rng.permuted(tiles, axis=1).reshape(-1, 4, 4, 12, 12).swapaxes(2, 3)
    return {
        "white": np.full((1, 48, 48), 255, dtype=np.uint8),
        "black": np.zeros((1, 48, 48), dtype=np.uint8),
        "noise": rng.integers(0, 256, (count, 48, 48), dtype=np.uint8),
        "gradients": np.clip(ramps, 0, 255).astype(np.uint8),
        "parts of a page of text": np.stack([_part(page_of_text(rng), rng) for _ in range(count)]),
        "parts of photos": np.stack([_photo_part(rng) for _ in range(count)]),
        "shuffled faces": np.ascontiguousarray(mixed).reshape(-1, 48, 48),
    }


def _part(page: Image.Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    side = int(rng.integers(100, 600))
    left = int(rng.integers(0, page.width - side + 1))
    top = int(rng.integers(0, page.height - side + 1))
    part = page.convert("L").crop((left, top, left + side, top + side))
    return np.asarray(part.resize((48, 48), Image.Resampling.LANCZOS))


def _photo_part(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    side = int(np.exp(rng.uniform(np.log(48), np.log(400))))
    part = background(rng, (side, side)).convert("L")
    return np.asarray(part.resize((48, 48), Image.Resampling.LANCZOS))


def _resized(image: Images, side: int) -> Image.Image:
    return Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)


def _mask(side: int) -> Image.Image:
    from_edge = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5)
    ramp = np.clip(from_edge / max(1.0, FEATHER * side), 0, 1)
    return Image.fromarray((255 * np.minimum.outer(ramp, ramp)).astype(np.uint8))
