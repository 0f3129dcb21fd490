"""The files of the page, which ship with the package."""

from importlib import resources

from starlette.responses import Response

from deployments.inference_server.web.problems import RequestError

CONTENT_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
INDEX = "index.html"
ENGINE = "engine.js"
"""What the page imports; who serves it decides which of the engines that is."""
SERVER_ENGINE = "engine_server.js"
BROWSER_ENGINE = "engine_browser.js"


def page_files() -> dict[str, bytes]:
    """The files of the page by name, with both engines."""
    folder = resources.files("deployments.inference_server") / "page"
    return {
        entry.name: entry.read_bytes()
        for entry in folder.iterdir()
        if entry.name.rpartition(".")[2] in CONTENT_TYPES
    }


class Assets:
    """Serves the page with the engine that asks the server."""

    def __init__(self) -> None:
        self._files = page_files()
        self._files[ENGINE] = self._files[SERVER_ENGINE]

    def response(self, name: str) -> Response:
        """A file of the page.

        Raises:
            RequestError: there is none of that name.
        """
        data = self._files.get(name)
        if data is None:
            raise RequestError(
                404, "not_found", "expected a file of the page", "open / in a browser"
            )
        kind = CONTENT_TYPES[name.rpartition(".")[2]]
        return Response(data, media_type=kind, headers={"Cache-Control": "no-cache"})
