"""What a store holds, as data frames."""

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fer_models.bundles.speed import DEFAULT_SPEED, Speed
from fer_models.errors import StoreError
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.open_model import open_model
from fer_models.storage.config import StoreConfig
from fer_models.storage.registry import CHAMPION
from fer_models.storage.store import ArtifactStore
from fer_models.user_input import given_text, user_path

if TYPE_CHECKING:
    import pandas as pd

    from fer_models.history.record import RunRecord

_URL = "://"


class Store:
    """A store of models, datasets and runs; each list is read anew, the newest first.

    A damaged artifact is left out, with a warning.

    Example:
        store = fer_models.open_store()
        store.models[["id", "network", "validation_accuracy", "role"]]
        store.load_model("champion")
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self.artifacts = artifacts
        """The store itself."""

    def __repr__(self) -> str:
        """Its URL."""
        return f"Store({self.url!r})"

    @property
    def url(self) -> str:
        """Folder or URL."""
        return self.artifacts.url

    @property
    def models(self) -> "pd.DataFrame":
        """One row per model, with the fields of `StoredModel`."""
        from fer_models.history.stored import StoredModel, stored_models

        models, problems = stored_models(self.artifacts)
        _warn(problems)
        return _frame((model.model_dump() for model in models), list(StoredModel.model_fields))

    @property
    def datasets(self) -> "pd.DataFrame":
        """One row per dataset snapshot, with the fields of `StoredDataset`."""
        from fer_models.history.stored import StoredDataset, stored_datasets

        datasets, problems = stored_datasets(self.artifacts)
        _warn(problems)
        rows = (dataset.model_dump() for dataset in datasets)
        return _frame(rows, list(StoredDataset.model_fields))

    @property
    def runs(self) -> "pd.DataFrame":
        """One row per run: what it was, its outcome, and its candidate's accuracy (0..1)."""
        from fer_models.history.runs import list_runs

        history = list_runs(self.artifacts)
        _warn(history.warnings)
        return _frame((_run_row(run) for run in history.runs), list(_RUN_COLUMNS))

    def load_model(self, name: str = CHAMPION, speed: Speed = DEFAULT_SPEED) -> ExpressionModel:
        """A model by its id, the beginning of an id, or `champion`; for `speed` see `load_model`.

        Raises:
            ConfigError: `name` is no text, or `speed` none of those.
            StoreError: the model does not exist or is damaged.
        """
        return open_model(given_text("name", name), self.artifacts, speed)


_RUN_COLUMNS = (
    "id", "name", "recipe", "flow", "trigger", "state", "message", "started", "seconds", "data",
    "seed", "snapshot", "candidate", "split", "n", "accuracy", "low", "high", "promoted",
)  # fmt: skip


def open_store(url: str | os.PathLike[str] | None = None) -> Store:
    """Open the store of `ferflow run --store URL`.

    Args:
        url: folder, file:// URL or s3://bucket/prefix; by default `.ferflow/store`.

    Raises:
        ConfigError: `url` is no text and no path.
        StoreError: there is no such folder, or the URL is not supported.

    Example:
        fer_models.open_store("s3://bucket/prefix").runs
    """
    text = StoreConfig().url if url is None else given_text("store", url)
    if _URL not in text:
        text = str(user_path(text))
    store = ArtifactStore(StoreConfig(url=text))
    if store.is_local and not store.local_root.is_dir():
        raise StoreError(
            f"{store.url}: expected the folder of a store, got none; check the path, or make one "
            "with `ferflow run --store FOLDER`"
        )
    return Store(store)


def _run_row(run: "RunRecord") -> dict[str, Any]:
    headline = run.headline.model_dump() if run.headline else {}
    plain = run.model_dump(include=set(_RUN_COLUMNS))
    return {
        **plain,
        **headline,
        "started": run.started_s,
        "seconds": run.seconds,
        "snapshot": run.artifacts.snapshot,
    }


def _frame(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> "pd.DataFrame":
    """A table; times in seconds since the epoch become timestamps in UTC."""
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=columns)
    for old, new in (("made_s", "made"), ("started", "started")):
        if old in table:
            moments = pd.to_datetime(table[old].astype("float64"), unit="s", utc=True)
            table[old] = moments
            table = table.rename(columns={old: new})
    return table


def _warn(problems: Iterable[str]) -> None:
    for problem in problems:
        warnings.warn(problem, stacklevel=3)
