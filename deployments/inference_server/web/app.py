"""The web application: addresses, and what is answered to them."""

import asyncio
import datetime as dt
import importlib.metadata
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployments.inference_server.metrics import CONTENT_TYPE
from deployments.inference_server.models.batching import Answer
from deployments.inference_server.models.explain import Place
from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.web import schemas
from deployments.inference_server.web.assets import INDEX, Assets
from deployments.inference_server.web.guard import Guard
from deployments.inference_server.web.intake import Intake, RateLimit
from deployments.inference_server.web.problems import (
    HANDLED,
    RequestError,
    as_request_error,
    unusable,
)
from deployments.inference_server.web.uploads import read_pictures
from fer_models.dataset.image_format import THUMBNAIL
from fer_models.faces.found import FacesMode
from fer_models.inference.picture import Picture, PicturePrediction

_NO_STORE = {"Cache-Control": "no-store"}
_UPLOAD = (400, 413, 415, 422, 429, 503, 504)
_DESCRIPTION = """Facial expressions in pictures. Errors are JSON with `code`, `error` (what was
expected, what came), `problems` and `remedy`. See `docs/http.md` for limits and metrics.
"""
_Faces = Annotated[
    FacesMode | None,
    Query(description="What pictures show: `crop`: one face each; `detect`: search; `auto`."),
]
_Label = Annotated[
    str | None, Query(description="The class to explain; the most probable one by default.")
]
_BoxText = Annotated[
    str | None,
    Query(
        pattern=r"^-?\d{1,6},-?\d{1,6},-?\d{1,6},-?\d{1,6}$",
        description="`left,top,right,bottom` of a face; the whole picture by default.",
        examples=["212,96,356,240"],
    ),
]
_LandmarksText = Annotated[
    str | None,
    Query(
        pattern=r"^-?\d{1,6}(\.\d{1,9})?(,-?\d{1,6}(\.\d{1,9})?){9}$",
        description="Its five points, as predicted: `x,y,x,y,...`; only with `box`.",
        examples=["251.2,150.4,316.8,149.1,284,181.7,258.3,207.5,311,206.2"],
    ),
]


def build_app(service: InferenceService, names: Iterable[str], token: str | None) -> FastAPI:
    """The application that serves a model.

    Args:
        service: predicts; the caller starts and ends it.
        names: accepted host names; see `Guard`.
        token: see `Guard`.
    """
    views = _Views(service)
    app = FastAPI(
        title="ferflow",
        version=importlib.metadata.version("ferflow"),
        description=_DESCRIPTION,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        exception_handlers=dict.fromkeys(HANDLED, views.failed),
    )
    _add_routes(app, views)
    paths = [str(getattr(route, "path", "")) for route in app.routes]
    app.add_middleware(
        Guard,
        names=tuple(names),
        token=token,
        rate=RateLimit(service.config.rate_per_s),
        metrics=service.metrics,
        paths=[path for path in paths if "{" not in path],
    )
    return app


class _Views:
    def __init__(self, service: InferenceService) -> None:
        self._service = service
        self._config = service.config
        self._intake = Intake(service.config)
        self._assets = Assets()

    async def failed(self, _: Request, error: Exception) -> JSONResponse:
        answer = as_request_error(error)
        self._service.metrics.rejected.labels(answer.problem.code).inc()
        return answer.response()

    async def index(self) -> Response:
        return self._assets.response(INDEX)

    async def asset(self, name: str) -> Response:
        return self._assets.response(name)

    async def predict(self, request: Request, faces: _Faces = None) -> JSONResponse:
        """Predict the expressions in one picture or several.

        Send files as `multipart/form-data`, JSON with base64, or one image as the body.
        """
        start_s = time.perf_counter()
        with self._intake.admitted(request) as limited:
            pictures = await self._pictures(limited)
            answer = await asyncio.wait_for(
                asyncio.wrap_future(self._service.predict(pictures, faces or self._config.faces)),
                self._config.timeout_s,
            )
        await run_in_threadpool(_check_readable, pictures, answer.pictures)
        self._service.metrics.count_predictions(answer.pictures)
        return JSONResponse(_answer(answer, time.perf_counter() - start_s), headers=_NO_STORE)

    async def explain(
        self,
        request: Request,
        label: _Label = None,
        box: _BoxText = None,
        landmarks: _LandmarksText = None,
    ) -> schemas.Explanation:
        """Show which places of one face speak for an expression (Grad-CAM)."""
        with self._intake.admitted(request) as limited:
            pictures = await self._pictures(limited)
            if len(pictures) != 1:
                raise unusable(f"expected one picture, got {len(pictures)}", "send one at a time")
            future = self._service.explain(pictures[0], label, _place(box, landmarks))
            explained = await asyncio.wait_for(asyncio.wrap_future(future), self._config.timeout_s)
        return schemas.Explanation.model_validate(asdict(explained))

    async def model(self) -> schemas.ModelAnswer:
        """The served model."""
        served = self._service.current.get()
        loaded = dt.datetime.fromtimestamp(served.loaded_s, dt.UTC)
        return schemas.ModelAnswer(
            model=served.model.name,
            classes=list(served.model.classes),
            image_format=str(served.model.image_format),
            follows=self._service.current.alias,
            loaded=loaded.isoformat(timespec="seconds"),
            heat_maps=served.heat_maps is not None,
            unfamiliarity=served.model.unfamiliarity is not None,
            calibrated=served.model.is_calibrated,
            faces=self._config.faces,
        )

    def card(self) -> schemas.Card:
        """The model card; the first call may take seconds."""
        name, sections = self._service.card()
        return schemas.Card.model_validate({"model": name, "sections": sections})

    async def health(self) -> schemas.Health:
        """Whether the server works, and whether it serves what it should."""
        current = self._service.current
        problem = current.problem()
        return schemas.Health.model_validate(
            {
                "status": "degraded" if problem else "ok",
                "live": True,
                "ready": True,
                "model": current.get().model.name,
                "follows": current.alias,
                "waiting_pictures": self._service.waiting,
                "uptime_s": time.time() - self._service.started_s,
                "champion_problem": problem,
            }
        )

    async def live(self) -> schemas.State:
        """The process answers; needs no token."""
        return schemas.State(status="ok")

    async def ready(self) -> schemas.State:
        """A model is loaded and there is room in the queue; needs no token."""
        if self._service.waiting >= self._config.max_waiting:
            raise RequestError(503, "queue_full", "the queue is full", "wait", headers=_RETRY)
        return schemas.State(status="ok")

    def metrics(self) -> Response:
        """Metrics in Prometheus' text format."""
        return Response(self._service.metrics.text(), media_type=CONTENT_TYPE)

    async def _pictures(self, request: Request) -> list[Picture]:
        return await asyncio.wait_for(read_pictures(request, self._config), self._config.timeout_s)


_RETRY = {"Retry-After": "1"}


def _add_routes(app: FastAPI, views: _Views) -> None:
    get, upload = ["GET"], schemas.problems(*_UPLOAD)
    known_only = [Depends(_refuse_unknown_parameters)]
    app.add_api_route("/", views.index, methods=get, include_in_schema=False)
    app.add_api_route("/page/{name}", views.asset, methods=get, include_in_schema=False)
    app.add_api_route(
        "/predict",
        views.predict,
        methods=["POST"],
        response_model=schemas.Predictions,
        responses=upload,
        dependencies=known_only,
        openapi_extra=schemas.picture_body(),
    )
    app.add_api_route(
        "/explain",
        views.explain,
        methods=["POST"],
        responses=upload,
        dependencies=known_only,
        openapi_extra=schemas.picture_body(),
    )
    app.add_api_route("/model", views.model, methods=get, responses=schemas.problems())
    app.add_api_route("/model/card", views.card, methods=get, responses=schemas.problems())
    app.add_api_route("/health", views.health, methods=get, responses=schemas.problems())
    app.add_api_route("/health/live", views.live, methods=get, responses=schemas.problems())
    app.add_api_route("/health/ready", views.ready, methods=get, responses=schemas.problems(503))
    app.add_api_route(
        "/metrics",
        views.metrics,
        methods=get,
        response_class=Response,
        responses={**schemas.problems(), 200: {"content": {"text/plain": {}}}},
    )


async def _refuse_unknown_parameters(request: Request) -> None:
    """A misspelt parameter would silently be its default."""
    known = [one.alias for one in request.scope["route"].dependant.query_params]
    problem = f"expected one of {', '.join(known)}, got an unknown parameter"
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise RequestValidationError([{"loc": ("query", one), "msg": problem} for one in unknown])


def _answer(answer: Answer, total_s: float) -> dict[str, Any]:
    return {
        "model": answer.model,
        "pictures": [one.as_dict() for one in answer.pictures],
        "timing": {
            "waiting_ms": round(1000 * answer.waited_s, 2),
            "predicting_ms": round(1000 * answer.predicting_s, 2),
            "total_ms": round(1000 * total_s, 2),
            "batch_pictures": answer.batch_pictures,
        },
    }


def _check_readable(pictures: list[Picture], predictions: Sequence[PicturePrediction]) -> None:
    """Reject a request of which no picture can be read; one among others has its reason."""
    if any(one.faces for one in predictions):
        return
    lost = [picture.as_crop(THUMBNAIL) for picture in pictures]
    if all(isinstance(one, str) for one in lost):
        raise unusable(
            "expected pictures that can be read, got none",
            "send JPEG, PNG, BMP, GIF, WEBP, TIFF or PPM files",
            [f"{one.path}: {one.reason}" for one in predictions],
        )


def _place(box: str | None, landmarks: str | None) -> Place:
    if box is None:
        return Place()
    left, top, right, bottom = map(int, box.split(","))
    numbers = list(map(float, landmarks.split(","))) if landmarks else []
    return Place((left, top, right, bottom), tuple(zip(numbers[::2], numbers[1::2], strict=True)))
