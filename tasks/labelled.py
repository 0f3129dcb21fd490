"""The faces that people have labelled: the version in force."""

from fer_models.labelled.versions import current_labels
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import LabelledRef
from fer_models.storage.store import ArtifactStore
from tasks.stage import stage


@stage("fer_models.labelled.versions", cached=False)
def labelled_faces(store: StoreConfig) -> LabelledRef | None:
    """The labels in force now; never cached."""
    return current_labels(ArtifactStore(store))
