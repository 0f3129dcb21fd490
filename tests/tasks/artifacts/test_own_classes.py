"""Tables of artifacts list the classes of the snapshot, in its order."""

from fer_models.storage.store import ArtifactStore
from tasks.artifacts.tables import snapshot_rows
from tests.fer_models.own_classes import OWN, own_snapshot


def test_the_table_of_a_snapshot_lists_its_classes_in_order(store: ArtifactStore) -> None:
    rows = snapshot_rows(store, own_snapshot(store, OWN))
    assert rows == [{"class": name, "images": 12, "kept": 12} for name in OWN.names]
