"""The page in Chromium: files, keys, camera, phone; nothing leaves the origin, no name is code."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.server import InferenceServer
from tests.deployments.chromium import chromium_page
from tests.deployments.inference_server.conftest import TOKEN, png

pytestmark = [pytest.mark.browser, pytest.mark.slow]

_TIMEOUT_MS = 120_000
_REAL_DATA = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"
_HOSTILE = '"><img src=x onerror=window.hacked=1>.png'
_DROP = """async ([encoded, name]) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  for (const type of ["dragover", "drop"]) {
    const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.getElementById("stage").dispatchEvent(event);
  }
}"""

# Answers about pictures wait until `held[n]()` is called; `asked` has the modes.
_HOLD_PREDICTIONS = """() => {
  const original = window.fetch;
  window.held = [];
  window.asked = [];
  window.fetch = async (path, options) => {
    const answer = await original(path, options);
    if (path.startsWith("predict")) {
      asked.push(new URLSearchParams(path.split("?")[1]).get("faces"));
      await new Promise((resolve) => held.push(resolve));
    }
    return answer;
  };
}"""
_BREAK_CONNECTION = """() => {
  window.connected = window.fetch;
  window.fetch = () => Promise.reject(new Error());
}"""
# The permission to use the camera is given by `allow.shift()()`.
_HOLD_CAMERA = """() => {
  const devices = navigator.mediaDevices;
  const original = devices.getUserMedia.bind(devices);
  window.allow = [];
  window.streams = [];
  window.asked = 0;
  devices.getUserMedia = async (wanted) => {
    asked += 1;
    await new Promise((resolve) => allow.push(resolve));
    const stream = await original(wanted);
    streams.push(stream);
    return stream;
  };
}"""


@pytest.fixture
def server(service: InferenceService) -> Iterator[InferenceServer]:
    with InferenceServer(service, port=0) as running:
        yield running


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    """A page; at its end nothing was reported on the console, and no request went elsewhere."""
    problems: list[str] = []
    requested: list[str] = []
    with chromium_page(tmp_path, viewport={"width": 1400, "height": 900}) as page:
        page.set_default_timeout(_TIMEOUT_MS)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requested.append(request.url))
        yield page
        origin = page.evaluate("location.origin")
    assert [url for url in requested if not url.startswith((origin, "data:", "blob:"))] == []
    refused = ("status of 401", "status of 422")  # Chromium reports every answer that is no success
    assert [text for text in problems if not any(one in text for one in refused)] == []


def _open(page: Any, server: InferenceServer) -> None:
    page.goto(server.url)
    page.wait_for_selector(".dot.ok")


def _file(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": data}


def test_a_chosen_crop_gets_bars_that_sum_to_one_and_a_heat_map(
    page: Any, server: InferenceServer
) -> None:
    _open(page, server)
    page.set_input_files("#files", [_file("a.png", png())])
    page.wait_for_selector(".bars li.top")
    shares = page.eval_on_selector_all(".bars .value", "all => all.map(one => one.textContent)")
    assert len(shares) == 7
    assert sum(float(share.rstrip(" %")) for share in shares) == pytest.approx(100, abs=4)
    assert page.inner_text(".headline .label").lower() in page.inner_text("#announcer")
    page.check("#heat", force=True)
    page.wait_for_selector(".heat")
    page.click("summary")
    page.wait_for_selector("#card-content h2")


@pytest.mark.real_data
def test_a_photo_gets_boxes_that_can_be_selected(page: Any, server: InferenceServer) -> None:
    photo = _photo_of_two()
    _open(page, server)
    page.set_input_files("#files", [_file("photo.png", photo)])
    page.wait_for_selector(".box")
    assert page.locator(".box").count() == 2
    area, box = page.locator("#picture").bounding_box(), page.locator(".box").nth(1).bounding_box()
    assert area["x"] <= box["x"]
    assert box["x"] + box["width"] <= area["x"] + area["width"]
    page.locator(".box").nth(1).click()
    assert page.locator(".box.selected").get_attribute("aria-label").startswith("Face 2")
    assert "Face 2 of 2" in page.inner_text("#announcer")


def test_a_dropped_file_with_a_hostile_name_is_shown_as_text(
    page: Any, server: InferenceServer
) -> None:
    _open(page, server)
    for name in (_HOSTILE, "b.png"):
        page.evaluate(_DROP, [base64.b64encode(png()).decode(), name])
        page.wait_for_selector(".bars li.top")
    page.locator("#strip button").first.click()
    page.wait_for_selector(f"dd:has-text('{_HOSTILE[:5]}')")
    page.evaluate(_DROP, [base64.b64encode(b"none").decode(), f"{_HOSTILE}.txt"])
    page.wait_for_selector("#message:not([hidden])")
    assert "onerror=window.hacked" in page.inner_text("#message")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_the_keyboard_alone_chooses_switches_and_clears(page: Any, server: InferenceServer) -> None:
    _open(page, server)
    page.focus("#choose")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([_file("a.png", png()), _file("b.png", png(1))])
    page.wait_for_selector(".bars li.top")
    # Both pictures are there: what is added to the page later would move the focus.
    page.locator("#strip button").nth(1).wait_for()
    reached = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert {"camera", "mode", "heat", "stage", "clear"} <= reached
    page.locator("#strip button").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dd:has-text('b.png')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#empty", state="visible")
    unnamed = "all => all.filter(one => !(one.ariaLabel || one.innerText || one.labels?.length))"
    assert page.eval_on_selector_all("button, input:not([type=file])", f"{unnamed}.length") == 0


def test_the_camera_is_predicted_until_it_is_stopped(page: Any, server: InferenceServer) -> None:
    _open(page, server)
    page.locator("#modes input[value=crop]").check(force=True)
    page.click("#camera")
    page.wait_for_selector(".bars li.top")
    page.click("#camera")
    page.wait_for_selector("#empty", state="visible")
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_camera_that_is_started_again_is_predicted_once(
    page: Any, server: InferenceServer
) -> None:
    _open(page, server)
    page.evaluate(_HOLD_PREDICTIONS)
    page.click("#camera")
    page.wait_for_function("held.length === 1")
    page.click("#camera")
    page.click("#camera")
    page.wait_for_function("held.length === 2")
    page.evaluate("held.forEach((answer) => answer())")
    page.wait_for_function("held.length >= 3")
    page.wait_for_timeout(1000)
    assert page.evaluate("held.length") == 3


def test_answers_of_another_mode_are_discarded(page: Any, server: InferenceServer) -> None:
    _open(page, server)
    page.evaluate(_HOLD_PREDICTIONS)
    page.set_input_files("#files", [_file("a.png", png()), _file("b.png", png(1))])
    page.wait_for_function("held.length === 1")
    page.locator("#modes input[value=crop]").check(force=True)
    page.wait_for_function("held.length === 2")  # the picture shown, in the new mode
    page.evaluate("held[1]()")
    page.wait_for_selector(".bars li.top")
    page.evaluate("held[0]()")  # the first request, of both pictures in the old mode
    page.locator("#strip button").nth(1).click()
    page.wait_for_function("held.length === 3")
    page.evaluate("held[2]()")
    page.wait_for_selector("dd:has-text('b.png')")
    assert page.evaluate("asked") == ["auto", "crop", "crop"]


def test_a_picture_that_failed_is_tried_again_in_another_mode(
    page: Any, server: InferenceServer
) -> None:
    _open(page, server)
    page.evaluate(_BREAK_CONNECTION)
    page.set_input_files("#files", [_file("a.png", png()), _file("b.png", png(1))])
    page.wait_for_selector("#message:not([hidden])")
    page.evaluate("() => { window.fetch = connected; }")
    page.locator("#modes input[value=crop]").check(force=True)
    page.wait_for_selector("dd:has-text('a.png')")
    page.locator("#strip button").nth(1).click()
    page.wait_for_selector("dd:has-text('b.png')")


def test_the_camera_is_asked_for_once_and_a_late_one_is_stopped(
    page: Any, server: InferenceServer
) -> None:
    _open(page, server)
    page.evaluate(_HOLD_CAMERA)
    page.click("#camera")
    page.click("#camera")
    assert page.evaluate("asked") == 1
    page.keyboard.press("Escape")
    page.click("#camera")
    assert page.evaluate("asked") == 2
    page.evaluate("allow.shift()()")
    page.wait_for_function("streams.length === 1 && !streams[0].active")
    page.evaluate("allow.shift()()")
    page.wait_for_selector("#camera[aria-pressed=true]")
    assert page.evaluate("document.getElementById('video').srcObject === streams[1]")


def test_a_phone_shows_everything_in_both_schemes(page: Any, server: InferenceServer) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    backgrounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        _open(page, server)
        page.set_input_files("#files", [_file("a.png", png()), _file("b.png", png(1))])
        page.wait_for_selector(".bars li.top")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_a_protected_server_asks_for_its_token(page: Any, service: InferenceService) -> None:
    with InferenceServer(service, port=0, token=TOKEN) as server:
        page.goto(server.url)
        page.fill("#token", "a wrong one")
        page.click("dialog button[value=ok]")
        page.wait_for_selector("text=The token was wrong")
        page.fill("#token", TOKEN)
        page.click("dialog button[value=ok]")
        page.wait_for_selector(".dot.ok")
        page.set_input_files("#files", [_file("a.png", png())])
        page.wait_for_selector(".bars li.top")


def _photo_of_two() -> bytes:
    """Two real faces in a larger picture; skips without them."""
    if not _REAL_DATA.exists():
        pytest.skip(f"{_REAL_DATA} is missing")
    import pandas as pd

    files = pd.read_parquet(_REAL_DATA, columns=["png"])["png"].iloc[[-40, -27]]
    photo = Image.new("RGB", (900, 500), (120, 140, 150))
    for left, file in zip((80, 500), files, strict=True):
        face = Image.open(io.BytesIO(file)).resize((280, 280), Image.Resampling.BICUBIC)
        photo.paste(face, (left, 110))
    data = io.BytesIO()
    photo.save(data, "PNG")
    return data.getvalue()
