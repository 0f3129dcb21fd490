"""The folder that holds the state of a search until its result is written."""

from collections.abc import Iterator
from contextlib import contextmanager

from fer_models.lineage import package_version
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_key
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import default_cache_dir
from fer_models.training.checkpoint_dir import CheckpointDir, checkpoint_dir, training_key
from fer_models.training.config import MemberConfig
from fer_models.tuning.config import TuningConfig


def search_key(snapshot: SnapshotRef, member: MemberConfig, config: TuningConfig, seed: int) -> str:
    """Name of a search (24 hex digits): a hash of everything its result depends on."""
    parts = {
        "training": training_key(snapshot, member, seed),
        "source": source_hash("fer_models.tuning.search"),
        "config": config.model_dump(mode="json"),
        "ray": package_version("ray"),
        "optuna": package_version("optuna"),
    }
    return json_key(parts)


@contextmanager
def search_dir(
    snapshot: SnapshotRef, member: MemberConfig, config: TuningConfig, seed: int
) -> Iterator[CheckpointDir]:
    """The folder of a search, locked for this process; below `<cache>/tuning` if possible."""
    key = search_key(snapshot, member, config, seed)
    with checkpoint_dir(key, default_cache_dir() / "tuning") as folder:
        yield folder
