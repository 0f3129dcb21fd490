"""The model that is served now; a new champion replaces it while requests are answered."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from deployments.inference_server.models.served import Load, ServedModel
from fer_models.errors import FerError, StoreError
from fer_models.storage.champions import is_champion_alias, named_champion
from fer_models.storage.registry import Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore

_log = logging.getLogger(__name__)
_RETRY_S = 30.0
_STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class _Failure:
    """A champion that could not be served, or a registry that could not be read."""

    number: int | None
    """Of the registry's entry; None: the registry itself."""
    model_id: str | None
    error: str
    time_s: float


class CurrentModel:
    """The served model; if it was named `champion`, it follows the registry.

    A new champion is loaded beside the current one, tried, and then takes its place at once:
    requests in progress end with the model that they began with. One that can't be loaded is tried
    again every 30 seconds, and the current one stays.

    Args:
        name: as for `open_model`.
        store: contains stored models and the registry.
        load: loads a model by its name or id.
        poll_s: how often the registry is asked.
        on_change: called with every model that takes over, also the first.
        on_failure: called when a champion could not be served, once for each.

    Raises:
        FerError: the first model can't be loaded.

    Example:
        with CurrentModel("champion", store, load, poll_s=2) as current:
            current.get().model.predict(images)
    """

    def __init__(
        self,
        name: str,
        store: ArtifactStore | None,
        load: Load,
        *,
        poll_s: float,
        on_change: Callable[[ServedModel], None] = lambda _served: None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._load = load
        self._poll_s = poll_s
        self._on_change = on_change
        self._on_failure = on_failure
        self._failure: _Failure | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        entry = self._first_entry(name)
        self._alias = entry.alias if entry else None
        self._entry = entry
        self._served = load(entry.model_id if entry else name)
        on_change(self._served)

    def get(self) -> ServedModel:
        """The model to predict with now."""
        return self._served

    @property
    def alias(self) -> str | None:
        """The alias of the registry that is followed, such as `champion`; None: a fixed model."""
        return self._alias

    def problem(self) -> dict[str, Any] | None:
        """Why the served model is not the current champion; None if all is well."""
        failure = self._failure
        if failure is None:
            return None
        return {
            "model": failure.model_id,
            "error": failure.error,
            "since": failure.time_s,
            "serving": self._served.model.name,
        }

    def check(self) -> None:
        """Look at the registry once, and serve a new champion."""
        assert self._store is not None
        assert self._alias is not None
        try:
            entry = Registry(self._store).current(self._alias)
        except FerError as error:
            self._fail(None, str(error))
            return
        if entry is None or entry == self._entry:
            self._failure = None
        elif not self._has_failed_lately(entry):
            self._take_over(entry)

    def __enter__(self) -> Self:
        """Begin to follow the champion."""
        if self._alias is not None:
            self._thread = threading.Thread(
                target=self._follow, name="ferflow-champion", daemon=True
            )
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def _first_entry(self, name: str) -> RegistryEntry | None:
        if not is_champion_alias(name):
            return None
        if self._store is None:
            raise StoreError(f"model {name!r}: expected a store to look in; pass a store")
        entry = named_champion(self._store, name)
        if entry is None:
            raise StoreError(
                f"{self._store.url}: there is no champion yet; run the pipeline, pass a model's "
                "id or `bundled`, or check --store"
            )
        return entry

    def _follow(self) -> None:
        while not self._stop.wait(self._poll_s):
            try:
                self.check()
            except Exception as error:  # noqa: BLE001 - a thread that ended would never follow
                self._fail(None, f"{type(error).__name__}: {error}")

    def _take_over(self, entry: RegistryEntry) -> None:
        try:
            served = self._load(entry.model_id)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one stays
            self._fail(entry, str(error) or type(error).__name__)
            return
        before, self._served = self._served, served
        self._entry, self._failure = entry, None
        _log.info("model %s replaces %s: %s", served.model.name, before.model.name, entry.reason)
        self._on_change(served)

    def _fail(self, entry: RegistryEntry | None, error: str) -> None:
        number = entry.number if entry else None
        is_new = self._failure is None or self._failure.number != number
        model_id = entry.model_id if entry else None
        self._failure = _Failure(number, model_id, error, time.time())
        if is_new:
            what = f"the new champion {model_id}" if entry else "the registry"
            name = self._served.model.name
            _log.error("%s can't be used, %s stays: %s", what, name, error)
            self._on_failure()

    def _has_failed_lately(self, entry: RegistryEntry) -> bool:
        failure = self._failure
        if failure is None or failure.number != entry.number:
            return False
        return time.time() - failure.time_s < _RETRY_S
