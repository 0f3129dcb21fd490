"""Settings that messages of commands name: following them changes what the command does."""

from pathlib import Path

import numpy as np
import pytest

from deployments.cli.review.labels import apply_decisions
from fer_models.labelled.versions import current_labels
from fer_models.selection.choose import choose_faces
from fer_models.selection.config import SelectionConfig
from fer_models.selection.stored import open_chosen
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config
from tests.fer_models.builders import draw_faces
from tests.fer_models.following import refusal
from tests.fer_models.inference.builders import stored_network, write_picture


@pytest.fixture
def decisions(store: ArtifactStore, tmp_path: Path) -> Path:
    """A person's label of a chosen face."""
    [face] = draw_faces(np.array([3]), 3)
    write_picture(tmp_path / "new" / "a.png", face)
    config = SelectionConfig(count=1)
    selection = choose_faces(store, [str(tmp_path / "new")], stored_network(store).id, config)
    [face_id] = open_chosen(store, selection.ref)["face_id"]
    path = tmp_path / "decisions.csv"
    path.write_text(f"image_id,pixel_sha256,action,label,note\n{face_id},,relabel,Happiness,\n")
    return path


def test_one_of_the_decisions_and_the_setting_that_ignores_them_is_removed(
    store: ArtifactStore, decisions: Path
) -> None:
    def apply(path: Path | None, *settings: str) -> int | None:
        applied = apply_decisions(store, path, load_config("demo", settings).data)
        return applied.get("labelled")

    message = refusal(lambda path: apply(path, "data.labelled=false"), decisions)
    assert "data.labelled=false ignores --decisions; remove one of them" in message
    assert current_labels(store) is None
    assert apply(None, "data.labelled=false") is None
    assert apply(decisions) == 1
    assert current_labels(store) is not None
