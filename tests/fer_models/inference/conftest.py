"""A stored network and its bundle, shared by the tests of this folder."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fer_models.bundles.facts import BundleFacts
from fer_models.inference.export import write_bundle
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.inference.builders import stored_network


@dataclass(frozen=True)
class Exported:
    """A store with a network, and the folder with its bundle `small`."""

    store: ArtifactStore
    model: ModelRef
    folder: Path
    facts: BundleFacts


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A network with random weights, exported as a bundle."""
    folder = tmp_path_factory.mktemp("exported here")
    store = ArtifactStore(StoreConfig(url=str(folder / "store")))
    model = stored_network(store)
    facts = write_bundle(store, model, folder / "bundles", name="small", command="ferflow run")
    assert isinstance(facts, BundleFacts)
    return Exported(store, model, folder / "bundles", facts)
