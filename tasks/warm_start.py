"""Find the weights of the champion that members start from."""

from collections.abc import Sequence

from fer_models.promotion.warm_start import warm_starts
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from tasks.stage import stage


@stage("fer_models.promotion.warm_start", cached=False)
def warm_start(members: Sequence[MemberConfig], store: StoreConfig) -> dict[str, ModelRef]:
    """The champion's network that each member starts from; members without one are left out."""
    return warm_starts(ArtifactStore(store), members)
