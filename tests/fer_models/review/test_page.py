"""Content of the page: what is offered, in which order, and that names are never markup."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fer_models.errors import DataError, FerError
from fer_models.review.decisions import parse_decisions, publish_decisions
from fer_models.review.page import store_review_page, write_review_page
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, snapshot_of
from tests.fer_models.review.builders import CASES, Case, cleaned_snapshot


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_quarantined_images_come_first_then_the_worst_kept_ones(
    store: ArtifactStore, tmp_path: Path
) -> None:
    facts = write_review_page(store, cleaned_snapshot(store), tmp_path / "review.html")
    page = (tmp_path / "review.html").read_text("utf-8")
    data = data_of(page)
    assert [(item["group"], item["i"]) for item in data["items"]] == [
        ("label_error", 1),
        ("label_error", 0),
        ("label_error", 2),
        ("conflicting_label", 5),
        ("not_a_face", 3),
        ("blank", 6),
        ("near_duplicate", 4),
        ("worst_kept", 9),
        ("worst_kept", 10),
    ]
    assert data["items"][0]["votes"][0] == 10
    assert data["items"][3]["of"] == 9
    assert [(fact["reason"], fact["count"]) for fact in data["facts"]] == [
        ("leak", 1),
        ("exact_duplicate", 1),
    ]
    assert set(map(int, data["pictures"])) == set(range(13)) - {11}
    assert facts["images"] == 9
    assert facts["decided"] == 0
    assert facts["counts"]["label_error"] == 3
    assert facts["bytes"] == len(page.encode())


def test_the_limit_bounds_the_kept_images_only(store: ArtifactStore, tmp_path: Path) -> None:
    facts = write_review_page(store, cleaned_snapshot(store), tmp_path / "x.html", limit=1)
    assert facts["counts"]["worst_kept"] == 1
    assert facts["images"] == 8
    data = data_of((tmp_path / "x.html").read_text())
    assert data["items"][-1]["i"] == 10  # score 0.2, worse than 0.5


def test_names_of_images_are_never_markup(store: ArtifactStore, tmp_path: Path) -> None:
    write_review_page(store, cleaned_snapshot(store), tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert page.count("</script>") == 2
    assert "<img src=x" not in page
    assert any(item.get("path", "").startswith("</script>") for item in data_of(page)["items"])
    assert not re.search(r'(src|href)="https?:', page)


def test_decisions_in_force_are_shown_as_decided(store: ArtifactStore, tmp_path: Path) -> None:
    snapshot = cleaned_snapshot(store)
    lines = ["image_id,action,label", "hand/000001,relabel,neutral", "hand/000011,drop,"]
    publish_decisions(store, parse_decisions("\n".join(lines), "test"))
    facts = write_review_page(store, snapshot, tmp_path / "x.html")
    items = {item["i"]: item for item in data_of((tmp_path / "x.html").read_text())["items"]}
    assert (items[1]["was"], items[1]["was_label"]) == ("relabel", 6)
    assert (items[11]["group"], items[11]["was"]) == ("by_person", "drop")
    assert (facts["decided"], facts["decisions_version"]) == (2, 1)


def test_notes_in_force_are_on_the_page(store: ArtifactStore, tmp_path: Path) -> None:
    snapshot = cleaned_snapshot(store)
    lines = ["image_id,action,label,note", "hand/000001,drop,,half a face", "hand/000002,keep,,"]
    publish_decisions(store, parse_decisions("\n".join(lines), "test"))
    write_review_page(store, snapshot, tmp_path / "x.html")
    items = {item["i"]: item for item in data_of((tmp_path / "x.html").read_text())["items"]}
    assert items[1]["was_note"] == "half a face"
    assert "was_note" not in items[2]


def test_an_applied_decision_is_shown_as_it_was_made(store: ArtifactStore, tmp_path: Path) -> None:
    snapshot = cleaned_snapshot(store, [Case(0, "by_person", relabelled=6), Case(3)])
    publish_decisions(
        store, parse_decisions("image_id,action,label\nhand/000000,relabel,neutral", "test")
    )
    write_review_page(store, snapshot, tmp_path / "x.html")
    (item,) = data_of((tmp_path / "x.html").read_text())["items"]
    assert (item["group"], item["label"], item["status"]) == ("by_person", 0, "kept")
    assert (item["was"], item["was_label"]) == ("relabel", 6)


def test_the_same_snapshot_and_decisions_give_the_same_page(store: ArtifactStore) -> None:
    snapshot = cleaned_snapshot(store)
    first = store_review_page(store, snapshot)
    assert store_review_page(store, snapshot) == first
    assert b"<!doctype html>" in store.read_file(first, "review.html")
    publish_decisions(store, parse_decisions("image_id,action,label\nhand/000001,keep,", "test"))
    assert store_review_page(store, snapshot).id != first.id


def test_a_clean_dataset_gives_a_page_with_nothing_to_decide(
    store: ArtifactStore, tmp_path: Path
) -> None:
    snapshot = cleaned_snapshot(store, [Case(), Case(3)])
    assert write_review_page(store, snapshot, tmp_path / "x.html")["images"] == 0


def test_a_raw_snapshot_is_rejected_with_the_next_step(
    store: ArtifactStore, tmp_path: Path
) -> None:
    raw = snapshot_of(store, [Face("train", 0, 1)])
    with pytest.raises(DataError, match=r"step 'ingest'; run `ferflow task clean` first"):
        write_review_page(store, raw, tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_an_unwritable_path_is_reported(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FerError, match="choose another file"):
        write_review_page(store, cleaned_snapshot(store), tmp_path / "file" / "x.html")


def test_test_images_are_never_offered(store: ArtifactStore, tmp_path: Path) -> None:
    cases = [*CASES, Case(0, "blank", split="test"), Case(1, split="test", score=0.01)]
    write_review_page(store, cleaned_snapshot(store, cases), tmp_path / "x.html")
    items = data_of((tmp_path / "x.html").read_text())["items"]
    assert all(item["split"] != "test" for item in items)
