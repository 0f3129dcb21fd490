"""Make the pictures of docs/ui.md: `python -m tests.operation.pictures` (`make docs-pictures`)."""

import contextlib
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.deployments.processes import Workspace
from tests.operation.prefect_ui import WIDTH_PX, opened_browser
from tests.operation.served import served
from tests.operation.walk import Walk

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MAX_BYTES = 150 * 1024
COLOURS = 256
# The height of what a picture shows, from the top of the page.
HEIGHTS_PX = {
    "ui-refusal": 900,
    "ui-form": 900,
    "ui-run": 780,
    "ui-summary": 980,
    "ui-report": 900,
    "ui-comparison": 900,
    "ui-cancelled": 560,
    "ui-retrain": 560,
    "ui-schedule": 420,
}


class Camera:
    """Writes a picture of the page, without the menu on its left, as `<name>.png`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[str] = []

    def look(self, name: str, page: Page) -> None:
        """Take a picture; an animation that runs is waited for."""
        page.wait_for_timeout(3000)
        height = HEIGHTS_PX[name]
        # Prefect's pages have a menu on their left; those of the page server do not.
        content = page.locator("main").bounding_box()
        left = content["x"] if content and "/v2/" in page.url else 0.0
        page.set_viewport_size({"width": WIDTH_PX, "height": max(height, 900)})
        clip = {"x": left, "y": 0.0, "width": WIDTH_PX - left, "height": float(height)}
        self._write(name, page.screenshot(clip=clip, animations="disabled"))  # type: ignore[arg-type]

    def _write(self, name: str, png: bytes) -> None:
        picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, kmeans=3)
        path = self.folder / f"{name}.png"
        picture.save(path, optimize=True)
        size = path.stat().st_size
        assert size <= MAX_BYTES, f"{path}: {size} bytes, expected at most {MAX_BYTES}"
        self.taken.append(name)
        print(f"{path.name}: {picture.width} x {picture.height}, {size / 1024:.0f} KB")


def main(folder: Path = IMAGES) -> None:
    """Walk through the UI of a new `ferflow up`, and take the pictures on the way."""
    camera = Camera(folder)
    root = Path(tempfile.gettempdir()) / "ferflow"  # the form shows it
    root.mkdir()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, root)
        workspace, store = Workspace(root), root / "store"
        options = ("--recipe", "tiny.yaml", "--store", str(store))
        with opened_browser(root) as page, served(workspace, *options) as up:
            Walk(workspace, store, up, page, camera.look).all()
    missing = HEIGHTS_PX.keys() - set(camera.taken)
    assert not missing, f"no picture was taken of {sorted(missing)}"


if __name__ == "__main__":
    main()
