"""What kind of model a name means."""

from fer_models.bundles.facts import FACTS_SUFFIX, WEIGHTS_SUFFIX
from fer_models.onnx_files.facts import ONNX_SUFFIX

BUNDLED = "bundled"


def bundle_of(name: str) -> tuple[str, str]:
    """The full name of a bundle, and what `load_any_bundle` calls it.

    Raises:
        StoreError: no bundle is shipped.

    Example:
        bundle_of("bundled")  # ("bundled:face_cnn_soup", "face_cnn_soup")
    """
    from fer_models.bundles.shipped import default_bundle

    _, colon, bundle_name = name.partition(":")
    if is_bundle_file(name):
        return name, name
    which = bundle_name if colon else default_bundle()
    return f"{BUNDLED}:{which}", which


def is_bundle_file(name: str) -> bool:
    """Whether the name is that of a file of a bundle."""
    return name.endswith((FACTS_SUFFIX, WEIGHTS_SUFFIX))


def is_onnx_file(name: str) -> bool:
    """Whether the name is that of an ONNX file."""
    return name.endswith(ONNX_SUFFIX)


def needs_store(name: str) -> bool:
    """Whether the name is that of a stored model."""
    return not (is_bundle(name) or is_onnx_file(name))


def is_bundle(name: str) -> bool:
    """Whether the name is that of a bundle, not of a stored model."""
    return is_bundle_file(name) or name.partition(":")[0] == BUNDLED
