"""Prometheus metrics of one server; see docs/http.md for their list."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from fer_models.inference.picture import PicturePrediction

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PICTURES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counts what a server does, in a registry of its own: two servers never mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "ferflow_requests",
            "Answered requests.",
            ("method", "path", "status"),
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "ferflow_request_seconds",
            "Time from the first byte of a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._pictures = Counter(
            "ferflow_pictures",
            "Predicted pictures, by whether a face was found in them.",
            ("outcome",),
            registry=self._registry,
        )
        self._faces = Counter(
            "ferflow_faces", "Predicted faces.", ("label",), registry=self._registry
        )
        self.rejected = Counter(
            "ferflow_rejected",
            "Requests that were not answered with predictions, by the code of the error.",
            ("code",),
            registry=self._registry,
        )
        self._batch_pictures = Histogram(
            "ferflow_batch_pictures",
            "Pictures that were predicted together.",
            buckets=_PICTURES,
            registry=self._registry,
        )
        self._batch_seconds = Histogram(
            "ferflow_batch_seconds",
            "Time of decoding and predicting a batch.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.waiting = Gauge(
            "ferflow_waiting_pictures", "Pictures in the queue.", registry=self._registry
        )
        self.model = Info("ferflow_model", "The served model.", registry=self._registry)
        self.model_loaded = Gauge(
            "ferflow_model_loaded_timestamp_seconds",
            "When the served model was loaded, in seconds since 1970.",
            registry=self._registry,
        )
        self.model_changes = Counter(
            "ferflow_model_changes",
            "New champions, by whether they could be loaded.",
            ("outcome",),
            registry=self._registry,
        )

    def count_batch(self, pictures: int, seconds: float) -> None:
        """Count one batch."""
        self._batch_pictures.observe(pictures)
        self._batch_seconds.observe(seconds)

    def count_predictions(self, predictions: Iterable[PicturePrediction]) -> None:
        """Count the pictures and faces of an answer."""
        for prediction in predictions:
            self._pictures.labels("faces" if prediction.faces else "none").inc()
            for face in prediction.faces:
                self._faces.labels(face.label).inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
