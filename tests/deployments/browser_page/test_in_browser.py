"""The exported page in Chromium: the probabilities of Python, and no request beyond its folder."""

import functools
import io
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deployments.browser_page.runtime import runtime_files
from deployments.browser_page.write import FACTS_FILE, write_browser_page
from fer_models.errors import FerError, StoreError
from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Picture
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.storage.store import ArtifactStore
from tests.deployments.chromium import chromium_page
from tests.fer_models.inference.builders import stored_network

pytestmark = [pytest.mark.browser, pytest.mark.slow]

_TIMEOUT_MS = 300_000
_PREDICT = """async ([bytes, region]) => {
  const engine = await import("./page/engine.js");
  await engine.describe();
  const blob = new Blob([new Uint8Array(bytes)], { type: "image/png" });
  const answer = await engine.predict([{ blob, name: "a.png" }], { region });
  return answer.pictures[0].faces[0];
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Tests print nothing."""


@pytest.fixture
def site(store: ArtifactStore, tmp_path: Path) -> Iterator[str]:
    """The URL of an exported page, on a static server."""
    try:
        runtime_files()
    except FerError as error:
        pytest.skip(f"onnxruntime-web can't be had here: {error.message}")
    model = stored_network(store, scale=1.5)
    folder = tmp_path / "a page"
    write_browser_page(model.id, folder, store)
    with pytest.raises(StoreError, match="expected a new or empty folder"):
        write_browser_page(model.id, tmp_path, store)
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _png(shape: tuple[int, ...], mode: str) -> bytes:
    """Soft noise: neighbours are alike, as in photographs."""
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (9, 12, *shape[2:]), dtype=np.uint8)
    image = Image.fromarray(small, mode).resize(shape[1::-1], Image.Resampling.BICUBIC)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


_PICTURES = {
    "crop": _png((48, 48), "L"),
    "grey": _png((301, 260), "L"),
    "photo": _png((480, 640, 3), "RGB"),
    "transparent": _png((70, 90, 4), "RGBA"),
}


def test_the_probabilities_are_those_of_python(
    site: str, store: ArtifactStore, tmp_path: Path
) -> None:
    model = open_model("small-0", store)
    requested: list[str] = []
    problems: list[str] = []
    with chromium_page(tmp_path) as page:
        page.set_default_timeout(_TIMEOUT_MS)
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(site)
        page.wait_for_selector(".dot.ok")
        for name, data in _PICTURES.items():
            [expected] = predict_pictures([Picture(name, data=data)], model, "crop")
            found = page.evaluate(_PREDICT, [list(data), None])
            assert found["probabilities"] == pytest.approx(
                dict(expected.faces[0].probabilities), abs=1e-3
            ), name
        region = (100, 60, 340, 300)
        cut = np.asarray(Image.open(io.BytesIO(_PICTURES["photo"])).crop(region))
        [expected] = predict_pictures([Picture("cut", pixels=cut)], model, "crop")
        found = page.evaluate(_PREDICT, [list(_PICTURES["photo"]), region])
        assert found["probabilities"] == pytest.approx(
            dict(expected.faces[0].probabilities), abs=1e-3
        )
        file = {"name": "a.png", "mimeType": "image/png", "buffer": _PICTURES["photo"]}
        page.set_input_files("#files", [file])
        page.wait_for_selector(".bars li.top")
        page.focus("#stage")
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector(".selection")
        page.wait_for_selector(".box")
    assert [url for url in requested if not url.startswith((site, "blob:", "data:"))] == []
    assert problems == []


def test_a_damaged_model_is_not_run(site: str, tmp_path: Path) -> None:
    weights = tmp_path / "a page" / FACTS_FILE.replace(".json", ".onnx")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with chromium_page(tmp_path) as page:
        page.set_default_timeout(_TIMEOUT_MS)
        page.goto(site)
        page.wait_for_selector("text=is damaged. Export the page again.")


def test_opened_as_a_file_the_page_says_that_it_needs_a_server(site: str, tmp_path: Path) -> None:
    with chromium_page(tmp_path) as page:
        page.goto((tmp_path / "a page" / "index.html").as_uri())
        page.wait_for_selector("text=only from a web server")
