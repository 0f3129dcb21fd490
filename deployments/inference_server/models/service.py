"""The model, its queue and its metrics, as one thing with a beginning and an end."""

import time
from concurrent.futures import Future
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from deployments.inference_server.metrics import Metrics
from deployments.inference_server.models.batching import Answer, Batcher, Predicted
from deployments.inference_server.models.card import CardSections, card_sections
from deployments.inference_server.models.explain import Explained, Place, explain
from deployments.inference_server.models.following import CurrentModel
from deployments.inference_server.models.served import Load, ServedModel, load_model
from deployments.inference_server.settings import ServingConfig
from fer_models.bundles.speed import DEFAULT_SPEED, Speed
from fer_models.faces.found import FacesMode
from fer_models.faces.settings import FaceSettings
from fer_models.inference.picture import Picture
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.ingest.files.image_pixels import quiet_decoding
from fer_models.storage.store import ArtifactStore


class InferenceService:
    """Predicts pictures of concurrent callers with a model that may change.

    Args:
        name: as for `open_model`; `champion` follows the registry.
        store: contains stored models; not needed for bundles.
        config: batches and limits.
        speed: how many views of each face are computed.
        load: loads a model by its name; by default from the store.

    Raises:
        FerError: the model can't be loaded.

    Example:
        with InferenceService("bundled", None, ServingConfig()) as service:
            answer = service.predict([Picture("a.png", data=data)], "crop").result()
    """

    def __init__(
        self,
        name: str,
        store: ArtifactStore | None,
        config: ServingConfig,
        speed: Speed = DEFAULT_SPEED,
        load: Load | None = None,
    ) -> None:
        self.config = config
        self.metrics = Metrics()
        self.started_s = time.time()
        self._store = store
        self._card: tuple[str, CardSections] | None = None
        self.current = CurrentModel(
            name,
            store,
            load or (lambda which: load_model(which, store, speed)),
            poll_s=config.poll_s,
            on_change=self._count_change,
            on_failure=lambda: self.metrics.model_changes.labels("failed").inc(),
        )
        self._batcher = Batcher(
            self._predict,
            batch_pictures=config.batch_pictures,
            batch_wait_s=config.batch_wait_ms / 1000,
            max_waiting=config.max_waiting,
            on_batch=self.metrics.count_batch,
        )
        self.metrics.waiting.set_function(lambda: self._batcher.waiting)
        self._stack = ExitStack()

    @property
    def waiting(self) -> int:
        """Pictures in the queue."""
        return self._batcher.waiting

    def predict(self, pictures: list[Picture], faces: FacesMode) -> "Future[Answer]":
        """Predict the pictures of a request with those of others.

        Raises:
            QueueFullError: too many wait.
            StoppedError: the service ends.
        """
        return self._batcher.submit(pictures, faces)

    def explain(self, picture: Picture, label: str | None, place: Place) -> "Future[Explained]":
        """Make the heat map of a face, between two batches.

        Raises:
            QueueFullError: too many pictures wait.
            StoppedError: the service ends.
        """
        served = self.current.get()
        return self._batcher.run(lambda: explain(served, picture, label, place))

    def card(self) -> tuple[str, CardSections]:
        """The served model and the sections of its card; the first call may take seconds.

        Raises:
            FerError: the model is damaged.
        """
        name = self.current.get().model.name
        if self._card is None or self._card[0] != name:
            self._card = (name, card_sections(name, self._store))
        return self._card

    def __enter__(self) -> Self:
        """Start the queue, and follow the champion."""
        # Pillow's warnings are switched off by a list that all threads share.
        self._stack.enter_context(quiet_decoding())
        self._stack.enter_context(self._batcher)
        self._stack.enter_context(self.current)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish what waits."""
        self._stack.close()

    def _predict(self, pictures: list[Picture], faces: FacesMode) -> Predicted:
        model = self.current.get().model
        size = self.config.batch_pictures
        search = FaceSettings(min_size_px=self.config.min_face_px)
        found = list(predict_pictures(pictures, model, faces, size, search))
        return Predicted(model.name, found)

    def _count_change(self, served: ServedModel) -> None:
        self.metrics.model.info({"name": served.model.name})
        self.metrics.model_loaded.set(served.loaded_s)
        self.metrics.model_changes.labels("served").inc()
