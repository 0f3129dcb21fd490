"""Images of any size in the graph, compared with Pillow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.files.image_decoding import convert_pixels
from fer_models.onnx_files.pixels_graph import pixels_of
from tests.fer_models.onnx_files.graphs import Runner, runner

FORMATS = [
    ImageFormat(),
    ImageFormat(64, 3),
    ImageFormat(48, 1, "crop"),
    ImageFormat(40, 3, "pad"),
]
SIZES = [(48, 48), (1, 1), (3, 5), (20, 31), (96, 97), (200, 191), (193, 400), (640, 480)]


def pixels_runner(folder: Path, image_format: ImageFormat) -> Runner:
    return runner(
        folder,
        {"images": "uint8"},
        lambda graph, values: pixels_of(graph, values["images"], image_format),
    )


def pictures(height: int, width: int, channels: int) -> np.ndarray:
    """Two pictures with structure of all sizes, N x H x W x C."""
    rng = np.random.default_rng(height * width + channels)
    made = []
    for _ in range(2):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
        noise = rng.integers(-20, 21, smooth.shape)
        made.append((smooth + noise).clip(0, 255).astype(np.uint8)[..., :channels])
    return np.stack(made)


def as_pillow_does(images: np.ndarray, image_format: ImageFormat) -> np.ndarray:
    """N x c x S x S."""
    squeezed = [image[..., 0] if image.shape[-1] == 1 else image for image in images]
    found = np.stack([convert_pixels(image, image_format) for image in squeezed])
    return found[:, None] if found.ndim == 3 else found.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("image_format", FORMATS, ids=lambda f: f"{f} {f.fit}")
def test_images_of_any_size_become_what_pillow_makes_of_them(
    image_format: ImageFormat, tmp_path: Path
) -> None:
    run = pixels_runner(tmp_path, image_format)
    for height, width in SIZES:
        for channels in (1, 3):
            images = pictures(height, width, channels)
            difference = run(images=images) - as_pillow_does(images, image_format)
            # Rounding of fixed-point sums: one grey level, in a few pixels.
            assert np.abs(difference).max() <= 1, (height, width, channels)
            assert (difference != 0).mean() < 0.005, (height, width, channels)


def test_images_of_the_model_s_format_are_not_changed(tmp_path: Path) -> None:
    run = pixels_runner(tmp_path, ImageFormat())
    images = np.random.default_rng(0).integers(0, 256, (9, 48, 48, 1), dtype=np.uint8)
    np.testing.assert_array_equal(run(images=images)[:, 0], images[..., 0])


def test_every_colour_has_the_luma_of_pillow(tmp_path: Path) -> None:
    run = pixels_runner(tmp_path, ImageFormat())
    colours = np.random.default_rng(1).integers(0, 256, (40, 48, 48, 3), dtype=np.uint8)
    np.testing.assert_array_equal(run(images=colours), as_pillow_does(colours, ImageFormat()))
