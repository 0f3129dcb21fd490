"""Draw images that show no face, as counterexamples for `FaceFamiliarity`.

Images are uint8 N x 48 x 48. Natural scenes are imitated by noise whose spectrum falls with the
frequency, and by occluding shapes of all sizes (dead leaves, Lee et al. 2001).
"""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import THUMBNAIL_PX, Pixels

Values = npt.NDArray[np.float64]
_STEEPEST = 2.2  # exponent of the spectrum; natural scenes have 1
_MOST_SHAPES = 60


def draw_outliers(faces: Pixels, count: int, rng: np.random.Generator) -> Pixels:
    """`count` images: noise, shapes, faces cut into shuffled tiles, and parts of faces."""
    kinds = (_noise, _shapes, _shuffled, _part)
    chosen = faces[rng.integers(0, len(faces), size=count)]
    drawn = [kinds[number % len(kinds)](face, rng) for number, face in enumerate(chosen)]
    outliers: Pixels = np.clip(np.stack(drawn), 0, 255).astype(np.uint8)
    return outliers


def _noise(_: Pixels, rng: np.random.Generator) -> Values:
    frequencies = np.fft.fftfreq(THUMBNAIL_PX)
    distance = np.hypot(frequencies[:, None], frequencies) + 0.5 / THUMBNAIL_PX
    white = np.fft.fft2(rng.normal(size=(THUMBNAIL_PX, THUMBNAIL_PX)))
    noise = np.fft.ifft2(white / distance ** rng.uniform(0, _STEEPEST)).real
    noise = (noise - noise.mean()) / noise.std()
    harder = np.sign(noise) * np.abs(noise) ** rng.uniform(0.2, 1)
    scaled: Values = rng.uniform(60, 200) + rng.uniform(10, 90) * harder
    return scaled


def _shapes(_: Pixels, rng: np.random.Generator) -> Values:
    down, across = np.mgrid[:THUMBNAIL_PX, :THUMBNAIL_PX].astype(np.float64)
    scene = np.full((THUMBNAIL_PX, THUMBNAIL_PX), rng.uniform(0, 255))
    for _shape in range(int(rng.integers(3, _MOST_SHAPES))):
        length = np.exp(rng.uniform(np.log(2), np.log(THUMBNAIL_PX / 2)))
        width = length * rng.uniform(0.1, 1)
        x, y = rng.uniform(-8, THUMBNAIL_PX + 8, size=2)
        turn = rng.uniform(0, np.pi)
        along = ((across - x) * np.cos(turn) + (down - y) * np.sin(turn)) / length
        beside = ((down - y) * np.cos(turn) - (across - x) * np.sin(turn)) / width
        is_box = rng.random() < 0.5
        inside = (np.maximum(abs(along), abs(beside)) if is_box else np.hypot(along, beside)) < 1
        scene[inside] = rng.uniform(0, 255)
    grain: Values = scene + rng.normal(0, rng.uniform(0, 12), size=scene.shape)
    return grain


def _shuffled(face: Pixels, rng: np.random.Generator) -> Pixels:
    parts = int(rng.choice((2, 3, 4)))
    side = THUMBNAIL_PX // parts
    tiles = face.reshape(parts, side, parts, side).swapaxes(1, 2).reshape(-1, side, side)
    mixed = rng.permutation(tiles).reshape(parts, parts, side, side)
    return mixed.swapaxes(1, 2).reshape(THUMBNAIL_PX, THUMBNAIL_PX)


def _part(face: Pixels, rng: np.random.Generator) -> Pixels:
    from PIL import Image

    side = int(rng.integers(8, 22))
    left, top = (int(start) for start in rng.integers(0, THUMBNAIL_PX - side, size=2))
    part = Image.fromarray(face).crop((left, top, left + side, top + side))
    return np.asarray(part.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BICUBIC))
