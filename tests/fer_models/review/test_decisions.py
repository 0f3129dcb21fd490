"""Versions: later decisions replace earlier ones, and all versions are kept."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.errors import DataError, StoreError
from fer_models.review import decisions as module
from fer_models.review.decisions import (
    current_decisions,
    decisions_history,
    open_decisions,
    parse_decisions,
    publish_decisions,
)
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore

ONE, TWO = "01" * 32, "02" * 32


def table(*lines: str) -> pd.DataFrame:
    text = "\n".join(["image_id,pixel_sha256,action,label,note", *lines])
    return parse_decisions(text, "test")


def in_force(store: ArtifactStore) -> list[tuple[str, str, str]]:
    current = current_decisions(store)
    assert current is not None
    found = open_decisions(store, current)
    return list(zip(found["image_id"], found["pixel_sha256"], found["action"], strict=True))


def test_a_new_store_has_no_decisions(store: ArtifactStore) -> None:
    assert current_decisions(store) is None
    assert decisions_history(store) == []
    with pytest.raises(DataError, match="nothing to publish"):
        publish_decisions(store, table("a,,reset,,"))


def test_versions_are_merged_kept_and_counted(store: ArtifactStore) -> None:
    first = publish_decisions(store, table(f"a,{ONE},keep,,fine", f"b,{ONE},drop,,"))
    second = publish_decisions(store, table(f"b,{ONE},relabel,sad,", f"c,{TWO},drop,,"))
    third = publish_decisions(store, table(f"a,{ONE},reset,,"))

    assert [first.version, second.version, third.version] == [1, 2, 3]
    assert in_force(store) == [("b", ONE, "relabel"), ("c", TWO, "drop")]
    assert len(open_decisions(store, second)) == 3
    assert open_decisions(store, first)["note"].tolist() == ["fine", ""]
    history = decisions_history(store)
    assert [(e.added, e.changed, e.withdrawn) for e in history] == [(2, 0, 0), (1, 1, 0), (0, 0, 1)]
    assert history[-1].counts == {"keep": 0, "drop": 1, "relabel": 1}
    assert current_decisions(store) == third


def test_unchanged_decisions_create_no_version(store: ArtifactStore) -> None:
    first = publish_decisions(store, table("a,,keep,,", "b,,drop,,"))
    assert publish_decisions(store, table("b,,drop,,")) == first
    assert publish_decisions(store, table("z,,reset,,")) == first
    assert len(decisions_history(store)) == 1


def test_reverting_creates_a_version_with_the_old_content(store: ArtifactStore) -> None:
    first = publish_decisions(store, table("a,,keep,,"))
    publish_decisions(store, table("a,,drop,,"))
    third = publish_decisions(store, table("a,,keep,,"))
    assert (third.id, third.version) == (first.id, 3)


def test_an_id_in_two_datasets_has_two_decisions(store: ArtifactStore) -> None:
    publish_decisions(store, table(f"a,{ONE},keep,,"))
    publish_decisions(store, table(f"a,{TWO},drop,,"))
    assert in_force(store) == [("a", ONE, "keep"), ("a", TWO, "drop")]
    publish_decisions(store, table("a,,keep,,"))  # applies to every image with this id
    assert in_force(store) == [("a", "", "keep")]
    publish_decisions(store, table(f"a,{TWO},reset,,"))
    assert in_force(store) == []


def images(**pixels: str) -> pd.DataFrame:
    """A manifest of training images by id."""
    return pd.DataFrame(
        {
            "image_id": list(pixels),
            "pixel_sha256": list(pixels.values()),
            "split": "train",
            "label": 0,
        }
    )


@pytest.mark.parametrize("new", [f"new,{ONE},reset,,", "new,,reset,,"])
def test_a_decision_that_followed_a_renamed_image_can_be_withdrawn(
    store: ArtifactStore, new: str
) -> None:
    publish_decisions(store, table(f"old,{ONE},drop,,", f"other,{TWO},keep,,"))
    publish_decisions(store, table(new), images(new=ONE))
    assert in_force(store) == [("other", TWO, "keep")]


def test_a_decision_replaces_that_under_an_earlier_id(store: ArtifactStore) -> None:
    publish_decisions(store, table(f"older,{ONE},drop,,", f"old,{ONE},drop,,"))
    publish_decisions(store, table(f"new,{ONE},keep,,"), images(new=ONE))
    assert in_force(store) == [("new", ONE, "keep")]


def test_copies_of_an_image_keep_decisions_of_their_own(store: ArtifactStore) -> None:
    copies = images(a=ONE, b=ONE)
    publish_decisions(store, table(f"a,{ONE},drop,,", f"gone,{ONE},drop,,"), copies)
    publish_decisions(store, table(f"b,{ONE},keep,,"), copies)
    assert in_force(store) == [("a", ONE, "drop"), ("b", ONE, "keep"), ("gone", ONE, "drop")]
    publish_decisions(store, table(f"b,{ONE},reset,,"), copies)
    assert in_force(store) == [("a", ONE, "drop"), ("gone", ONE, "drop")]


def test_the_loser_of_a_race_merges_into_the_winner(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.create_bytes

    def late(key: str, data: bytes) -> bool:
        monkeypatch.undo()
        publish_decisions(ArtifactStore(store.config), table("theirs,,drop,,"))
        return create(key, data)

    monkeypatch.setattr(store, "create_bytes", late)
    assert publish_decisions(store, table("ours,,keep,,")).version == 2
    assert [row[0] for row in in_force(store)] == ["ours", "theirs"]


def test_a_race_that_is_never_won_raises(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ATTEMPTS", 2)
    monkeypatch.setattr(store, "create_bytes", lambda key, _: store.write_bytes(key, b"other"))
    monkeypatch.setattr(store, "list_keys", lambda _: [])
    with pytest.raises(StoreError, match="another run at the same moment"):
        publish_decisions(store, table("a,,keep,,"))


_edits = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["keep", "drop", "reset"])), max_size=6
)


@settings(max_examples=25)
@given(edits=_edits)
def test_publishing_behaves_like_updating_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, edits: list[dict[str, str]]
) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("store"))))
    expected: dict[str, str] = {}
    for edit in edits:
        before = dict(expected)
        expected |= edit
        expected = {name: action for name, action in expected.items() if action != "reset"}
        versions = len(decisions_history(store))
        if versions or expected:
            publish_decisions(store, table(*[f"{n},,{a},," for n, a in edit.items()]))
        assert len(decisions_history(store)) == versions + (expected != before)
    if current_decisions(store):
        assert {name: action for name, _, action in in_force(store)} == expected
