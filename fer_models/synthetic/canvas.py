"""A batch of grey images to draw on with antialiased shapes.

B images of S x S pixels, float32, 0 black .. 1 white. Shapes are signed distances: negative
inside, in face units (half a face height). Only IEEE-exact elementwise operations are used (no
exp, sin, power, matrix product or sum over pixels), so an image is the same on every machine.
"""

from dataclasses import dataclass

import numpy as np

from fer_models.synthetic.action_units import Floats, Traits


@dataclass(frozen=True)
class Canvas:
    """Images (B x rows x S), and each pixel's position in the coordinates of its face.

    `across` increases to the right and `down` to the chin; 0, 0 is the centre of the face, the
    chin is at down = 1. `side` is the absolute value of `across` (faces are symmetric). `pixels`
    is the number of pixels in one face unit.
    """

    grey: Floats
    across: Floats
    down: Floats
    side: Floats
    pixels: Floats

    def rows(self, first: int, last: int) -> "Canvas":
        """A view of some pixel rows: drawing on it draws on this canvas."""
        part = slice(first, last)
        return Canvas(
            self.grey[:, part],
            self.across[:, part],
            self.down[:, part],
            self.side[:, part],
            self.pixels,
        )

    def cover(self, distance: Floats) -> Floats:
        """Fraction of each pixel inside a shape (0..1), antialiased over one pixel."""
        covered: Floats = np.clip(0.5 - distance * self.pixels, 0.0, 1.0)
        return covered

    def paint(self, cover: Floats, value: Floats | float) -> None:
        """Paint grey `value` over the images with opacity `cover` (0..1)."""
        self.grey[...] += cover * (value - self.grey)

    def darken(self, cover: Floats) -> None:
        """Multiply the images by 1 - cover (a negative cover lightens)."""
        self.grey[...] *= 1.0 - cover

    def line(
        self, position: Floats, along: Floats, half_width: Floats | float, strength: Floats
    ) -> None:
        """Darken a stroke where `position` is near 0, fading out as `along` nears -1 and 1."""
        body = np.clip(1.0 - np.abs(position) / half_width, 0.0, 1.0)
        self.darken(body * np.clip(2.0 - 2.0 * np.abs(along), 0.0, 1.0) * strength)


def new_canvas(traits: Traits, size_px: int) -> Canvas:
    """Create a black canvas in the coordinates of posed faces.

    Args:
        traits: pose of B faces, each of shape B x 1 x 1.
        size_px: side length of the images.
    """
    centre = np.arange(size_px, dtype=np.float32) + 0.5 - size_px / 2
    x = centre[None, None, :] - traits["shift_x"]
    y = centre[None, :, None] - traits["shift_y"]
    # The half-angle form needs no sine: cos = (1 - t^2) / (1 + t^2), sin = 2t / (1 + t^2).
    tangent = traits["roll"] / 2
    norm = 1.0 + tangent * tangent
    cos, sin = (1.0 - tangent * tangent) / norm, 2.0 * tangent / norm
    across = (cos * x + sin * y) / traits["scale"]
    down = (cos * y - sin * x) / traits["scale"]
    grey = np.zeros(across.shape, dtype=np.float32)
    return Canvas(grey, across, down, np.abs(across), pixels=traits["scale"])


def with_head_turn(canvas: Canvas, traits: Traits) -> Canvas:
    """The same images, with coordinates that move features according to yaw and pitch."""
    across = canvas.across + traits["yaw"] * (1.0 - canvas.across * canvas.across)
    down = canvas.down + traits["pitch"] * (1.0 - canvas.down * canvas.down)
    return Canvas(canvas.grey, across, down, np.abs(across), canvas.pixels)


def bump(distance_squared: Floats) -> Floats:
    """A smooth bump: 1 in the centre, 0 from squared distance 1."""
    hill: Floats = np.maximum(1.0 - distance_squared, 0.0)
    squared: Floats = hill * hill
    return squared


def ellipse(
    x: Floats, y: Floats, half_width: Floats | float, half_height: Floats | float
) -> Floats:
    """Squared distance from an ellipse's centre, relative to its radius: 1 on the edge."""
    a, b = x / half_width, y / half_height
    return a * a + b * b
