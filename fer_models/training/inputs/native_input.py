"""Let a network read images as they are stored, unless its settings say otherwise."""

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat, recorded_format
from fer_models.models.config import NetworkConfig
from fer_models.models.names import DLIB_NAME, OWN_NAMES
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig

_DLIB_SIDE_PX = 96
"""dlib's weights read faces of 150 px; at 96 px an image costs a third of that."""


def with_native_input(
    store: ArtifactStore, snapshot: SnapshotRef, member: MemberConfig
) -> MemberConfig:
    """The member with an input for the images of a snapshot; what is set stays as it is.

    Example:
        member = with_native_input(store, snapshot, MemberConfig(name="small"))
        member.network.image_size_px  # 48 for FER2013

    Args:
        store: holds the snapshot.
        snapshot: the images.
        member: `network.image_size_px` and `network.in_channels` may be None.

    Raises:
        StoreError: the snapshot is missing or damaged.
    """
    network = member.network
    if network.image_size_px is not None and network.in_channels is not None:
        return member
    native = _native(network, recorded_format(store.info(snapshot)))
    given = {
        "image_size_px": network.image_size_px or native.size_px,
        "in_channels": network.in_channels or native.channels,
    }
    return member.model_copy(update={"network": network.model_copy(update=given)})


def _native(network: NetworkConfig, stored: ImageFormat) -> ImageFormat:
    """The input of a network that leaves it open: that of its weights, or the stored format."""
    if not network.pretrained:
        return stored
    if network.name in OWN_NAMES:
        return THUMBNAIL  # the shipped weights know grey faces of this size
    side_px = _DLIB_SIDE_PX if network.name == DLIB_NAME else _fixed_side_px(network.name)
    return ImageFormat(side_px, stored.channels) if side_px else stored


def _fixed_side_px(name: str) -> int:
    """The only size that a published network of timm takes; 0 if it takes any."""
    from timm.models import get_pretrained_cfg

    try:
        published = get_pretrained_cfg(name)
    except RuntimeError:  # an unknown tag: reported when the network is built
        return 0
    if published is None or not published.fixed_input_size:
        return 0
    return max(published.input_size[1:])
