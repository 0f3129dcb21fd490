"""An exploration shows the classes of its snapshot, whatever they are."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.classes.class_list import ClassList
from fer_models.exploration.explore import explore_snapshot
from fer_models.exploration.votes import choice_names, majority, vote_facts
from fer_models.labels import VOTE_COLUMNS, FerPlusVote
from fer_models.storage.store import ArtifactStore
from tests.fer_models.exploration.test_explore import Page
from tests.fer_models.own_classes import EIGHT, LISTS, OWN, foreign_names, own_snapshot


def votes_of(*names: str) -> pd.DataFrame:
    """Ten votes for one name per image, in columns of FER+."""
    rows = [[10 * (vote is FerPlusVote[name]) for vote in FerPlusVote] for name in names]
    return pd.DataFrame(rows, columns=list(VOTE_COLUMNS))


@pytest.mark.parametrize("classes", LISTS, ids=lambda one: str(len(one)))
def test_the_page_shows_the_classes_of_the_snapshot(
    store: ArtifactStore, classes: ClassList
) -> None:
    exploration = explore_snapshot(store, own_snapshot(store, classes))
    summary = store.read_json(exploration, "summary.json")
    assert [row["class"] for row in summary["classes"]] == list(classes.names)
    assert {row["before"] for row in summary["classes"]} == {12}
    assert {name: one["n"] for name, one in summary["pixels"].items() if name in classes.names} == (
        dict.fromkeys(classes.names, 12)
    )
    page = Page(store.read_file(exploration, "report.html").decode())
    assert page.unbalanced == []
    assert f"{len(classes)} classes: {', '.join(classes.names)}." in page.visible_text
    words = set(page.visible_text.replace(",", " ").replace(".", " ").split())
    assert not words & foreign_names(classes)


def test_charts_grow_with_the_number_of_classes(store: ArtifactStore) -> None:
    heights: dict[str, list[int]] = {"classes": [], "grey_values": [], "mean_faces": []}
    for classes in sorted(LISTS, key=len):
        exploration = explore_snapshot(store, own_snapshot(store, classes, per_class=4))
        for name, values in heights.items():
            data = store.read_file(exploration, f"{name}.png")
            values.append(Image.open(io.BytesIO(data)).height)
    for values in heights.values():
        assert values[-1] > 3 * max(values[:-1])


def test_a_class_without_a_vote_is_left_out_of_the_comparison_with_votes() -> None:
    rows = votes_of("HAPPINESS", "SADNESS", "CONTEMPT", "NF", "HAPPINESS").assign(
        given=[0, 0, 1, 1, 2]
    )
    assert choice_names(OWN)[:2] == ("happy", "sad")
    assert choice_names(OWN)[-1] == "tie"
    assert {"contempt", "not a face", "anger"} < set(choice_names(OWN))
    facts = vote_facts(rows, "given", OWN)
    assert facts is not None
    assert (facts["n"], facts["agreeing"]) == (4, 1)
    assert facts["without_vote"] == ["bored", "very bored"]
    assert np.array(facts["confusion"]).shape == (2, len(choice_names(OWN)))
    assert vote_facts(rows.assign(given=3), "given", OWN) is None


def test_contempt_is_a_class_of_ferplus_and_merged_votes_are_added_up() -> None:
    assert choice_names(EIGHT) == (*EIGHT.names, "unknown", "not a face", "tie")
    positive = ClassList(
        ("positive", "other"), {"happy": "positive", "surprise": "positive", "sad": "other"}
    )
    votes = dict.fromkeys(VOTE_COLUMNS, 0) | {
        "votes_happiness": 3,
        "votes_surprise": 3,
        "votes_sadness": 4,
    }
    rows = pd.DataFrame([votes])
    assert majority(rows, positive).tolist() == [0]
    assert majority(rows, EIGHT).tolist() == [EIGHT.number("sad")]


def test_the_page_names_the_classes_that_taggers_could_not_vote_for(
    store: ArtifactStore,
) -> None:
    votes = [10 * (vote is FerPlusVote.HAPPINESS) for vote in FerPlusVote]
    exploration = explore_snapshot(store, own_snapshot(store, OWN, votes=votes))
    text = Page(store.read_file(exploration, "report.html").decode()).visible_text
    assert "could not vote for are left out: bored, very bored." in text
    assert "agrees with the label for 12 of 24 images" in text
    assert "FER2013" not in text
