"""Pictures that Python code has: arrays, tensors, images of Pillow, bytes."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fer_models.errors import DataError
from fer_models.inference.picture import Picture, Pixels
from fer_models.inference.pictures.decode import picture_of_bytes, rgb_pixels
from fer_models.ingest.files.image_pixels import MAX_SIDE_PX

if TYPE_CHECKING:
    from PIL.Image import Image

_EXPECTED = (
    "expected a path, the bytes of an image file, an image of Pillow, an array H x W or H x W x 3 "
    "(RGB), or a tensor 3 x H x W"
)


def picture_of(value: Any, name: str) -> Picture:
    """A picture from a Python object.

    Args:
        value: bytes of an image file; an image of Pillow; an array H x W, H x W x 1 or H x W x 3
            (RGB; OpenCV reads BGR: pass `frame[..., ::-1]`); a tensor H x W, 1 x H x W or
            3 x H x W. Values are integers 0..255, or floats 0..1.
        name: of the picture in results.

    Raises:
        DataError: it is something else, or has other values.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return picture_of_bytes(name, bytes(value))
    if hasattr(value, "getbands") and hasattr(value, "convert"):
        return _of_pillow(value, name)
    if _is_tensor(value):
        return Picture(name, pixels=_of_tensor(value, name))
    if isinstance(value, np.ndarray):
        return Picture(name, pixels=_of_array(value, name))
    is_file = hasattr(value, "read")
    advice = "; pass its content, file.read() of a file that is open as 'rb'" if is_file else ""
    raise DataError(f"{name}: {_EXPECTED}; got {type(value).__name__}{advice}")


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def _of_pillow(image: "Image", name: str) -> Picture:
    is_plain = not (image.has_transparency_data or image.getexif())
    if image.mode in ("L", "RGB") and is_plain:
        return Picture(name, pixels=np.asarray(image))
    if image.mode.startswith(("I", "F")):
        from PIL import ImageOps

        # As a file of the same depth would be read.
        stream = io.BytesIO()
        ImageOps.exif_transpose(image).save(stream, "TIFF")
        return Picture(name, data=stream.getvalue())
    return Picture(name, pixels=rgb_pixels(image))


def _of_tensor(tensor: Any, name: str) -> Pixels:
    """The pixels of a tensor; C x H x W becomes H x W x C, other shapes stay."""
    # NumPy has no bfloat16; float32 has all of its values.
    is_short = tensor.is_floating_point() and tensor.element_size() < 4
    values = (tensor.float() if is_short else tensor).detach().cpu().numpy()
    if values.ndim == 3 and values.shape[0] in (1, 3, 4):
        return _of_array(np.moveaxis(values, 0, 2), name, "picture[:3]")
    return _of_array(values, name)


def _of_array(values: npt.NDArray[Any], name: str, colours: str = "picture[..., :3]") -> Pixels:
    """The pixels of H x W or H x W x C; `colours`: how the caller gets RGB of RGBA."""
    flat = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if problem := _shape_problem(flat, colours):
        raise DataError(f"{name}: {_EXPECTED}; got the shape {values.shape}{problem}")
    if flat.dtype == np.uint8:
        return np.ascontiguousarray(flat)
    low, high = float(flat.min()), float(flat.max())
    if flat.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.round(flat * 255.0).astype(np.uint8)
    if flat.dtype.kind in "iu" and low >= 0 and high <= 255:
        return flat.astype(np.uint8)
    raise DataError(
        f"{name}: expected integers 0..255 or floats 0..1, got {flat.dtype} from {low:g} to "
        f"{high:g}; undo the normalisation, or scale the values"
    )


def _shape_problem(values: npt.NDArray[Any], colours: str) -> str:
    """What is wrong with the shape of an image, with advice; "" if nothing."""
    if values.ndim == 4:
        return "; for several pictures pass a list, list(pictures)"
    if values.ndim == 3 and values.shape[2] != 3:
        if values.shape[0] == 3:
            return "; move the channels to the end, np.moveaxis(picture, 0, 2)"
        if values.shape[2] == 4:
            return f", RGBA; pass its colours alone, {colours}"
        return "; for several grey pictures pass a list, list(pictures)"
    if values.ndim not in (2, 3):
        return " "
    return "" if min(values.shape) > 0 and max(values.shape) <= MAX_SIDE_PX else " "
