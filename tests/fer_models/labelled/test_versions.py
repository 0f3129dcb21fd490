import pandas as pd
import pytest

from fer_models.labelled.faces import LABEL_DTYPES, faces_bytes
from fer_models.labelled.versions import current_labels, open_labels, publish_labels
from fer_models.storage.refs import SelectionRef
from fer_models.storage.store import ArtifactStore


@pytest.fixture(autouse=True)
def selection(store: ArtifactStore) -> None:
    faces = {f"face-{number}": b"png" for number in range(4)}
    store.put(SelectionRef, "chosen", {"faces.parquet": faces_bytes(faces)}, {}, page_url="")


def label(store: ArtifactStore, *faces: str, withdrawn: frozenset[str] = frozenset()) -> None:
    rows = [
        {
            "number": 0,
            "face_id": face,
            "pixel_sha256": face,
            "label": "happy",
            "note": "",
            "path": "",
            "selection": "chosen",
            "model": "",
        }
        for face in faces
    ]
    table = pd.DataFrame(rows, columns=list(LABEL_DTYPES)).astype(LABEL_DTYPES)
    publish_labels(store, table, withdrawn)


def numbers(store: ArtifactStore) -> dict[str, int]:
    version = current_labels(store)
    assert version is not None
    table = open_labels(store, version)
    return dict(zip(table["face_id"], table["number"], strict=True))


def test_a_number_is_never_given_to_another_face(store: ArtifactStore) -> None:
    label(store, "face-0", "face-1")
    label(store, withdrawn=frozenset({"face-1"}))
    label(store, "face-2")
    assert numbers(store) == {"face-0": 0, "face-2": 2}
    label(store, withdrawn=frozenset({"face-0", "face-2"}))
    label(store, "face-3")
    assert numbers(store) == {"face-3": 3}


def test_a_face_keeps_its_number_when_its_label_changes(store: ArtifactStore) -> None:
    label(store, "face-0", "face-1")
    label(store, "face-1", "face-2")
    assert numbers(store) == {"face-0": 0, "face-1": 1, "face-2": 2}
