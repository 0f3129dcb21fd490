"""Render synthetic faces at 48 x 48 grey: head, hair, occlusion, and the look of a photograph."""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images
from fer_models.progress import report
from fer_models.synthetic.action_units import Floats, Traits
from fer_models.synthetic.canvas import Canvas, bump, ellipse, new_canvas, with_head_turn
from fer_models.synthetic.features import draw_brows, draw_eyes, draw_mouth, draw_nose

# Faces drawn together; more would not fit the processor's cache.
_BATCH = 16


def draw_faces(traits: Traits, rng: np.random.Generator) -> Images:
    """Render faces.

    Args:
        traits: of N faces, from `draw_traits`.
        rng: for the backdrop and the grain.

    Returns:
        uint8 N x 48 x 48; the same for the same traits and generator on every machine.
    """
    count = len(traits["skin"])
    images = np.empty((count, IMAGE_SIZE_PX, IMAGE_SIZE_PX), dtype=np.uint8)
    for start in range(0, count, _BATCH):
        batch = {name: v[start : start + _BATCH, None, None] for name, v in traits.items()}
        images[start : start + _BATCH] = _draw_batch(batch, rng)
        report("ingest", min(start + _BATCH, count), count, "faces")
    return images


def _draw_batch(traits: Traits, rng: np.random.Generator) -> Images:
    canvas = new_canvas(traits, IMAGE_SIZE_PX)
    _draw_backdrop(canvas, traits, rng)
    _draw_head(canvas, traits)
    # In every pose that is drawn, the features stay within these rows.
    features = with_head_turn(canvas, traits)
    upper, lower = features.rows(0, 34), features.rows(14, IMAGE_SIZE_PX)
    draw_eyes(upper, traits)
    draw_brows(upper, traits)
    draw_nose(features.rows(8, IMAGE_SIZE_PX), traits)
    _draw_beard(lower, traits)
    draw_mouth(lower, traits)
    _draw_fringe(canvas, traits)
    _draw_occlusion(features, traits)
    return _develop(canvas.grey, traits, rng)


def _draw_backdrop(canvas: Canvas, traits: Traits, rng: np.random.Generator) -> None:
    t = traits
    slope = t["backdrop_slope"] * (canvas.across + 0.6 * canvas.down * np.sign(t["light_x"]))
    canvas.grey[...] = np.clip(t["backdrop"] + slope, 0.0, 1.0)
    blobs = rng.random((4, *t["skin"].shape)).astype(np.float32)
    for x, y in ((blobs[0], blobs[1]), (blobs[2], blobs[3])):
        spot = bump(ellipse(canvas.across - 2.4 * x + 1.2, canvas.down - 2.4 * y + 1.2, 0.6, 0.8))
        canvas.paint(0.6 * spot, x)
    long_hair = ellipse(canvas.across, canvas.down + 0.1, t["face_width"] + 0.2, 1.12)
    falls = np.maximum(np.sqrt(long_hair) - 1.0, np.where(t["long_hair"] > 0, -1.0, canvas.down))
    canvas.paint(canvas.cover(falls), t["hair"])
    neck = np.maximum(canvas.side - 0.36, 0.6 - canvas.down)
    canvas.paint(canvas.cover(neck), 0.55 * t["skin"])


def _draw_head(canvas: Canvas, traits: Traits) -> None:
    t = traits
    low = np.maximum(canvas.down, 0.0)
    # Action unit 26 drops the jaw, which lengthens the lower face.
    reach = np.where(canvas.down > 0, 1.0 + 0.1 * t["au26"], 1.0)
    width = t["face_width"] * (1.0 - t["jaw"] * low * low)
    nx, ny = canvas.across / width, canvas.down / reach
    squared = nx * nx + ny * ny
    ear = ellipse(canvas.side - t["face_width"], canvas.down + 0.02, 0.09, 0.2)
    canvas.paint(canvas.cover((np.sqrt(ear) - 1.0) * 0.1), 0.75 * t["skin"])
    # Lambert's law on an egg-shaped head: the normal tilts outwards with the distance.
    nz = np.sqrt(np.maximum(1.0 - squared, 0.0))
    light = 0.45 + 0.55 * nz + 0.42 * (t["light_x"] * nx + t["light_y"] * ny)
    light = light - 0.12 * bump(ellipse(canvas.side - 0.45, canvas.down - 0.45, 0.22, 0.4))
    canvas.paint(
        canvas.cover((np.sqrt(squared) - 1.0) * t["face_width"]),
        np.clip(t["skin"] * t["exposure"] * light, 0.0, 1.0),
    )


def _draw_beard(canvas: Canvas, traits: Traits) -> None:
    t = traits
    amount = np.clip(t["beard"], 0.0, 0.75)
    jaw = bump(ellipse(canvas.across, canvas.down - 1.0, 0.75, 0.55))
    lip = bump(ellipse(canvas.across, canvas.down - t["mouth_height"] + 0.1, 0.34, 0.09))
    cover = np.minimum(amount * (1.6 * jaw + 1.2 * lip), 0.8)
    canvas.paint(cover, t["hair"] * 0.8)


def _draw_fringe(canvas: Canvas, traits: Traits) -> None:
    t = traits
    outline = np.sqrt(ellipse(canvas.across, canvas.down + 0.06, t["face_width"] + 0.07, 1.03))
    hairline = t["hairline"] + 0.55 * canvas.across * canvas.across
    hairline = hairline + 0.25 * t["long_hair"] * canvas.across
    hair = np.maximum((outline - 1.0) * t["face_width"], canvas.down - hairline)
    strands = 1.0 + 0.25 * np.abs(canvas.across + 0.4 * t["light_x"])
    canvas.paint(canvas.cover(hair), np.minimum(t["hair"] * strands, 1.0))


def _draw_occlusion(canvas: Canvas, traits: Traits) -> None:
    t = traits
    worn = (t["glasses"] > 0).astype(np.float32)
    x, y = canvas.side - t["eye_distance"], canvas.down - t["eye_height"]
    ring = np.sqrt(ellipse(x, y, t["glasses_size"], t["glasses_size"] * 0.8)) - 1.0
    rim = np.abs(ring) * t["glasses_size"] - 0.012
    bridge = np.maximum(np.abs(y + 0.04) - 0.012, canvas.side - 0.12)
    canvas.paint(worn * canvas.cover(np.minimum(rim, bridge)) * 0.85, t["iris"] * 0.4)
    canvas.darken(-0.1 * worn * canvas.cover(ring * 0.2))
    covered = (t["cover"] > 0).astype(np.float32)
    hand = ellipse(canvas.across - t["cover_x"], canvas.down - t["cover_y"], 0.26, 0.42)
    shade = t["skin"] * t["exposure"] * (0.95 - 0.25 * hand)
    canvas.paint(covered * canvas.cover((np.sqrt(hand) - 1.0) * 0.3), np.clip(shade, 0.0, 1.0))


def _develop(grey: Floats, traits: Traits, rng: np.random.Generator) -> Images:
    t = traits
    soft = _blurred(grey)
    grey = grey + np.clip(t["blur"], 0.0, 0.7) * (soft - grey)
    # A tone curve with fixed points 0 and 1: positive contrast steepens the middle.
    grey = np.clip(grey, 0.0, 1.0)
    grey = grey + t["contrast"] * grey * (1.0 - grey) * (2.0 * grey - 1.0) * 2.0
    grain = rng.integers(0, 256, size=(4, *grey.shape), dtype=np.uint8).astype(np.int16)
    # The sum of four uniform draws is nearly normal, with a standard deviation of 148.
    noise = (grain[0] + grain[1] + grain[2] + grain[3] - 510).astype(np.float32) / 148.0
    scaled = (grey + t["noise"] * noise) * 255.0
    images: Images = np.clip(np.floor(scaled + 0.5), 0.0, 255.0).astype(np.uint8)
    return images


def _blurred(grey: Floats) -> Floats:
    wide = grey.copy()
    wide[:, :, 1:-1] = (grey[:, :, :-2] + 2.0 * grey[:, :, 1:-1] + grey[:, :, 2:]) / 4.0
    soft: npt.NDArray[np.float32] = wide.copy()
    soft[:, 1:-1] = (wide[:, :-2] + 2.0 * wide[:, 1:-1] + wide[:, 2:]) / 4.0
    return soft
