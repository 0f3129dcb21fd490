from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_models.campaign.pack import pack_snapshot, unpack_snapshot
from fer_models.dataset.snapshot import open_snapshot, open_table, write_snapshot
from fer_models.errors import DataError
from tests.fer_models.campaign.conftest import Campaign, store_in


def test_a_packed_snapshot_is_the_same_elsewhere(campaign: Campaign, tmp_path: Path) -> None:
    elsewhere = store_in(tmp_path)
    ref = unpack_snapshot(campaign.faces, elsewhere)
    assert ref.id == campaign.snapshot.id
    here = open_snapshot(campaign.workplace.store, campaign.snapshot)
    there = open_snapshot(elsewhere, ref)
    pd.testing.assert_frame_equal(there.manifest, here.manifest)
    np.testing.assert_array_equal(there.images, here.images)
    assert unpack_snapshot(campaign.faces, elsewhere) == ref


def test_copies_are_packed_once_and_tables_come_along(campaign: Campaign, tmp_path: Path) -> None:
    store = campaign.workplace.store
    one = open_snapshot(store, campaign.snapshot)
    twice = one.images[np.tile(np.arange(len(one.images)), 2)]
    manifest = pd.concat([one.manifest, one.manifest], ignore_index=True)
    manifest["image_id"] = [f"test:{number}" for number in range(len(manifest))]
    table = pd.DataFrame({"row": [1, 2]})
    snapshot = write_snapshot(store_in(tmp_path), manifest, twice, "split", tables={"notes": table})
    size = pack_snapshot(store_in(tmp_path), snapshot, tmp_path / "twice.pack")
    assert size < 1.2 * campaign.faces.stat().st_size
    elsewhere = store_in(tmp_path / "elsewhere")
    unpacked = unpack_snapshot(tmp_path / "twice.pack", elsewhere)
    assert unpacked.id == snapshot.id
    pd.testing.assert_frame_equal(open_table(elsewhere, unpacked, "notes"), table)


def test_colour_is_rejected(tmp_path: Path, campaign: Campaign) -> None:
    one = open_snapshot(campaign.workplace.store, campaign.snapshot)
    store = store_in(tmp_path)
    colour = write_snapshot(store, one.manifest, np.stack([one.images] * 3, -1), "split")
    with pytest.raises(DataError, match=r"data\.channels=1"):
        pack_snapshot(store, colour, tmp_path / "colour.pack")
    assert not list(tmp_path.glob("*colour*"))


@pytest.mark.parametrize("content", [None, b"", b"no zip"])
def test_another_file_is_rejected(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "faces.pack"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match="campaign-pack"):
        unpack_snapshot(file, store_in(tmp_path))
