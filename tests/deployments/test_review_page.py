"""The review page in a real browser: decide by mouse and keyboard, reload, save, read back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from deployments.cli.review.page import command
from deployments.cli.task.data import clean
from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.dataset.snapshot import open_snapshot
from fer_models.review.decisions import (
    match_decisions,
    open_decisions,
    parse_decisions,
    publish_decisions,
    read_decisions,
)
from fer_models.review.page import write_review_page
from fer_models.storage.latest import remember
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.deployments.browser import saved, tile
from tests.fer_models.cleaning.snapshots import Face, snapshot_of
from tests.fer_models.own_classes import MANY, doubtful_snapshot
from tests.fer_models.review.builders import cleaned_snapshot

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def ferflow_review(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--json"])


def json_output(result: Result) -> dict[str, Any]:
    output: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return output


@pytest.fixture
def page(store: ArtifactStore, tmp_path: Path, browser: "BrowserContext") -> Iterator["Page"]:
    """The page of a small cleaned snapshot; script errors fail the test."""
    remember(store, "clean", cleaned_snapshot(store))
    result = ferflow_review("--store", store.url, "--out", str(tmp_path / "review page.html"))
    assert result.exit_code == 0, result.output
    opened = browser.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda text: errors.append(text.text) if text.type == "error" else None)
    opened.goto((tmp_path / "review page.html").as_uri())
    opened.evaluate("localStorage.clear()")
    opened.reload()
    yield opened
    opened.close()
    assert errors == []


@pytest.mark.browser
def test_more_classes_than_digit_keys_are_chosen_from_a_list(
    store: ArtifactStore, tmp_path: Path, browser: "BrowserContext"
) -> None:
    path = tmp_path / "many.html"
    write_review_page(store, doubtful_snapshot(store, MANY), path)
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator("#inspector button.relabel").count() == len(MANY)
    page.keyboard.press("r")
    page.keyboard.type("state 17")
    assert page.locator("#inspector button.relabel").count() == 1
    page.keyboard.press("Enter")  # moves on to the next image
    page.keyboard.press("3")  # no shortcut here
    page.locator("#inspector").get_by_role("button", name=MANY.names[33]).click()
    table = read_decisions(saved(page, tmp_path), MANY)
    assert table["label"].tolist() == [MANY.names[17], MANY.names[33]]
    page.close()


@pytest.mark.browser
def test_decisions_by_mouse_and_keyboard_are_saved_and_read_back(
    page: "Page", store: ArtifactStore, tmp_path: Path
) -> None:
    assert page.locator(".tile").count() == 9
    tile(page, 0).get_by_role("button", name="Relabel hand/000001 to neutral").click()
    tile(page, 1).get_by_role("button", name="Drop").click()
    page.locator("#note").fill('not, "angry"')
    page.keyboard.press("Tab")
    tile(page, 2).click()
    page.locator("#inspector").get_by_role("button", name="surprise").click()

    tile(page, 3).click()
    for key in ("k", "d", "7", "k"):  # each moves on to the next image
        page.keyboard.press(key)
    page.keyboard.press("u")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    assert page.locator("#counter").inner_text() == "7 of 9 decided, 7 new"

    page.reload()
    assert page.locator("#counter").inner_text() == "7 of 9 decided, 7 new"
    path = saved(page, tmp_path)
    assert path.name.startswith("decisions-")
    table = read_decisions(path).set_index("image_id")
    assert {name: (row.action, row.label) for name, row in table.iterrows()} == {
        "hand/000001": ("relabel", "neutral"),
        "hand/000000": ("drop", ""),
        "hand/000002": ("relabel", "surprise"),
        "hand/000005": ("keep", ""),
        "hand/000003": ("drop", ""),
        "hand/000006": ("relabel", "neutral"),
        "hand/000009": ("drop", ""),
    }
    assert table.loc["hand/000000", "note"] == 'not, "angry"'
    manifest = open_snapshot(store, cleaned_snapshot(store)).manifest
    assert match_decisions(manifest, read_decisions(path), FER2013_CLASSES).unmatched.empty


@pytest.mark.browser
def test_navigation_filters_and_help_work_from_the_keyboard(page: "Page") -> None:
    selected = page.locator(".tile[aria-current]")
    page.keyboard.press("ArrowRight")
    assert "suggested surprise" not in (selected.get_attribute("aria-label") or "")
    page.keyboard.press("End")
    assert "labelled surprise" in (selected.get_attribute("aria-label") or "")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert "labelled happy" in (selected.get_attribute("aria-label") or "")
    assert page.evaluate("document.activeElement.classList.contains('tile')")

    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("k")  # ignored while the list is open
    page.keyboard.press("Escape")
    assert page.locator("#counter").inner_text().startswith("0 of 9")

    page.keyboard.press("Home")
    page.keyboard.press("a")
    page.locator("#filter-state").select_option("done")
    assert page.locator(".tile").count() == 1
    page.locator("#filter-state").select_option("open")
    assert page.locator(".tile").count() == 8
    page.locator("#filter-group").select_option("worst_kept")
    assert page.locator(".tile").count() == 2
    page.locator("#filter-class").select_option("0")
    assert "No image matches" in page.locator("#sheet").inner_text()


@pytest.mark.browser
def test_earlier_decisions_are_shown_and_can_be_withdrawn(
    page: "Page", store: ArtifactStore, tmp_path: Path
) -> None:
    publish_decisions(
        store, parse_decisions("image_id,action,label\nhand/000001,drop,\n", "earlier")
    )
    again = tmp_path / "again.html"
    assert ferflow_review("--store", store.url, "--out", str(again)).exit_code == 0
    page.goto(again.as_uri())
    assert page.locator("#counter").inner_text() == "1 of 9 decided, 0 new"
    assert tile(page, 0).locator(".badge").inner_text() == "drop · earlier"
    assert page.get_by_role("button", name="Save decisions").is_disabled()

    page.keyboard.press("x")
    assert page.locator("#counter").inner_text() == "0 of 9 decided, 1 new"
    withdrawn = publish_decisions(store, read_decisions(saved(page, tmp_path)))
    assert open_decisions(store, withdrawn).empty


@pytest.mark.browser
def test_notes_of_earlier_decisions_are_shown_kept_and_changed(
    page: "Page", store: ArtifactStore, tmp_path: Path
) -> None:
    lines = ["image_id,action,label,note", "hand/000001,drop,,blurred", "hand/000000,keep,,"]
    publish_decisions(store, parse_decisions("\n".join(lines), "earlier"))
    again = tmp_path / "again.html"
    assert ferflow_review("--store", store.url, "--out", str(again)).exit_code == 0
    page.goto(again.as_uri())
    assert page.locator("#note").input_value() == "blurred"

    page.keyboard.press("x")
    page.keyboard.press("d")  # as before: nothing to save
    assert page.locator("#counter").inner_text() == "2 of 9 decided, 0 new"
    tile(page, 0).click()
    page.keyboard.press("k")
    assert tile(page, 1).locator(".badge").inner_text() == "keep · earlier"
    page.locator("#note").press_sequentially("a clear face")
    assert tile(page, 1).locator(".badge").inner_text() == "keep"
    assert page.locator("#counter").inner_text() == "2 of 9 decided, 2 new"
    table = read_decisions(saved(page, tmp_path)).set_index("image_id")
    assert (table.loc["hand/000001", "action"], table.loc["hand/000001", "note"]) == (
        "keep",
        "blurred",
    )
    assert table.loc["hand/000000", "note"] == "a clear face"


@pytest.mark.browser
def test_missing_local_storage_is_reported(page: "Page") -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('denied'); }})"
    )
    page.reload()
    assert "save them before you close" in page.locator("#warning").inner_text()
    page.keyboard.press("k")
    assert page.locator("#counter").inner_text() == "1 of 9 decided, 1 new"
    page.once("dialog", lambda dialog: dialog.accept())


def test_review_prints_the_next_command_and_lists_versions(
    store: ArtifactStore, tmp_path: Path
) -> None:
    snapshot = cleaned_snapshot(store)
    path = str(tmp_path / "x.html")
    result = ferflow_review("--store", store.url, "--snapshot", snapshot.id[:8], "--out", path)
    assert json_output(result)["images"] == 9
    command_line = (
        f"ferflow task clean --store {store.url} --snapshot {store.info(snapshot)['parent'][:12]} "
        f"--decisions decisions-{snapshot.id[:12]}.csv"
    )
    assert command_line in result.output
    assert command_line in Path(path).read_text("utf-8")

    publish_decisions(store, parse_decisions("image_id,action,label\na,keep,\n", "x"))
    history = json_output(ferflow_review("--store", store.url, "--history"))
    assert history["version"] == 1
    assert history["history"][0]["counts"] == {"keep": 1, "drop": 0, "relabel": 0}


def test_cleaning_withdraws_a_decision_that_followed_a_renamed_image(
    store: ArtifactStore, tmp_path: Path
) -> None:
    raw = store.info(cleaned_snapshot(store))["parent"]
    manifest = open_snapshot(store, store.ref(SnapshotRef, raw)).manifest.set_index("image_id")
    sha = manifest.loc["hand/000009", "pixel_sha256"]
    header = "image_id,pixel_sha256,action,label\n"
    publish_decisions(store, parse_decisions(f"{header}before,{sha},drop,\n", "earlier"))
    file = tmp_path / "decisions.csv"
    file.write_text(f"{header}hand/000009,{sha},reset,\n")
    options = ["--snapshot", raw, "--set", "scoring.enabled=false", "--decisions", str(file)]
    result = CliRunner().invoke(clean, ["--store", store.url, *options, "--json"])
    assert result.exit_code == 0, result.output
    assert json_output(result)["people_decided"] == 0


def test_review_before_cleaning_names_the_step_to_run(store: ArtifactStore) -> None:
    result = ferflow_review("--store", store.url)
    assert result.exit_code == 2
    assert "ferflow task clean" in result.output
    raw = snapshot_of(store, [Face("train", 0, 1)])
    result = ferflow_review("--store", store.url, "--snapshot", raw.id)
    assert result.exit_code == 2
    assert "expected a cleaned snapshot" in result.output
