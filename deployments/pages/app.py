"""The web application: addresses, and what is answered to them."""

import logging
from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from deployments.pages.files import MAIN_PAGES, Files, NotServedError, kind_of
from deployments.pages.guard import Guard
from deployments.pages.history import COMPARE, HISTORY, compare_page
from deployments.pages.lists import (
    artifact_page,
    front_page,
    history_page,
    list_page,
    message_page,
)
from fer_models.errors import StoreError
from fer_models.storage.store import ArtifactStore

# An artifact is immutable. Behind a password, only the browser itself may keep it.
_IMMUTABLE = "private, max-age=86400, immutable"
_FRESH = {"Cache-Control": "no-cache"}
_log = logging.getLogger(__name__)


def build_app(store: ArtifactStore, names: Iterable[str], auth: str | None) -> Starlette:
    """The application that serves a store.

    Args:
        store: what is served.
        names: accepted host names; see `Guard`.
        auth: `user:password`; None for no authentication.
    """
    views = _Views(Files(store))
    return Starlette(
        routes=[
            Route("/", views.front),
            Route("/favicon.ico", views.no_icon),
            Route(f"/{HISTORY}/", views.history),
            Route(f"/{COMPARE}/{{a}}/{{b}}", views.compare),
            Route("/{folder}", views.folder_without_slash),
            Route("/{folder}/", views.folder),
            Route("/{folder}/{artifact_id}", views.artifact),
            Route("/{folder}/{artifact_id}/", views.artifact),
            Route("/{folder}/{artifact_id}/{name:path}", views.file),
        ],
        middleware=[Middleware(Guard, names=tuple(names), auth=auth)],
        exception_handlers={
            NotServedError: _answer(404, "Not found"),
            StoreError: _store_failed,
            HTTPException: _answer(404, "Not found"),
            Exception: _failed,
        },
    )


class _Views:
    """Synchronous views: Starlette runs them in threads, and reading a store blocks."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def front(self, _: Request) -> Response:
        return HTMLResponse(front_page(self._files), headers=_FRESH)

    def no_icon(self, _: Request) -> Response:
        """Browsers ask for an icon of images and JSON, which name none."""
        return Response(status_code=204, headers={"Cache-Control": _IMMUTABLE})

    def history(self, _: Request) -> Response:
        return HTMLResponse(history_page(self._files), headers=_FRESH)

    def compare(self, request: Request) -> Response:
        page = compare_page(self._files.store, request.path_params["a"], request.path_params["b"])
        return HTMLResponse(page, headers=_FRESH)

    def folder_without_slash(self, request: Request) -> Response:
        folder = request.path_params["folder"]
        kind_of(folder)
        return RedirectResponse(f"/{folder}/")

    def folder(self, request: Request) -> Response:
        return HTMLResponse(list_page(self._files, request.path_params["folder"]), headers=_FRESH)

    def artifact(self, request: Request) -> Response:
        folder, artifact_id = request.path_params["folder"], request.path_params["artifact_id"]
        main = MAIN_PAGES.get(folder, "")
        if main in self._files.artifact(folder, artifact_id).files:
            return RedirectResponse(f"/{folder}/{artifact_id}/{main}")
        return HTMLResponse(artifact_page(self._files, folder, artifact_id), headers=_FRESH)

    def file(self, request: Request) -> Response:
        parts = request.path_params
        file = self._files.read(parts["folder"], parts["artifact_id"], parts["name"])
        headers = {"Cache-Control": _IMMUTABLE, "ETag": f'"{file.sha256}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.content_type, headers=headers)


def _answer(status: int, title: str) -> Callable[[Request, Exception], Response]:
    def answer(_: Request, error: Exception) -> Response:
        text = str(error) if isinstance(error, NotServedError) else "Nothing is at this address."
        return HTMLResponse(message_page(title, text), status, {"Cache-Control": "no-store"})

    return answer


def _store_failed(_: Request, error: Exception) -> Response:
    """The details may name endpoints and keys: they go to the log, not to the browser."""
    _log.warning("%s", error)
    text = "The artifact store can't be read now. The log of the page server says why."
    page = message_page("The store does not answer", text)
    return HTMLResponse(page, 503, {"Cache-Control": "no-store", "Retry-After": "10"})


def _failed(_: Request, __: Exception) -> Response:
    page = message_page("Internal error", "The log of the page server says why.")
    return HTMLResponse(page, 500, {"Cache-Control": "no-store"})
