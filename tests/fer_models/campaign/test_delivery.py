"""Volumes and their merge."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_models.campaign.delivery import Delivery, Limits
from fer_models.campaign.merge import merge_volumes, read_results_file, write_results_file
from fer_models.campaign.result import LABELS, VIEWS, ResultsFolder
from fer_models.campaign.training import Workplace
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError
from fer_models.evaluation.predictions import model_ref
from fer_models.storage.refs import ModelRef
from fer_models.training.inputs.data import split_images
from fer_models.training.predict import load_network, predict_probabilities
from tests.fer_models.campaign.conftest import Campaign, store_in


@pytest.fixture
def undelivered(campaign: Campaign) -> Workplace:
    for marker in campaign.workplace.results.folder.glob("*-delivered"):
        marker.unlink()
    return campaign.workplace


def test_a_result_is_what_the_stored_network_predicts(campaign: Campaign) -> None:
    key = campaign.key("small, seed 0")
    result, store = campaign.workplace.results.read(key), campaign.workplace.store
    assert result is not None
    arrays = campaign.workplace.results.read_predictions(key)
    network, preprocessing = load_network(store, model_ref(store, result.model_id))
    images = split_images(open_snapshot(store, campaign.snapshot), "validation")
    for tta in VIEWS:
        preprocessing["tta"] = tta
        probs_NK = predict_probabilities(network, preprocessing, images.images)
        np.testing.assert_allclose(arrays[tta], probs_NK, atol=1e-3)
        assert result.scores[tta].correct == (arrays[tta].argmax(1) == images.labels).sum()
    np.testing.assert_array_equal(arrays[LABELS], images.labels)
    assert all((value == value.half()).all() for value in network.state_dict().values())


def test_a_final_fit_has_no_scores(campaign: Campaign) -> None:
    result = campaign.workplace.results.read(campaign.key("small, final fit"))
    assert result is not None
    assert result.scores == {}
    assert result.model_id.startswith("small-final-")


def test_merged_models_are_those_of_the_machine(
    campaign: Campaign, undelivered: Workplace, tmp_path: Path
) -> None:
    left = Delivery(tmp_path / "out").deliver(undelivered, {"small"})
    assert left == []
    store, results = store_in(tmp_path), ResultsFolder(tmp_path / "merged")
    merged = merge_volumes([tmp_path / "out"], results, store)
    assert len(merged.added) == 3
    assert len(merged.models) == 2  # nobody asked for the student's weights
    for model_id in merged.models:
        here, there = (model_ref(one, model_id) for one in (undelivered.store, store))
        assert store.describe(there).files == undelivered.store.describe(here).files
    again = merge_volumes([tmp_path / "out"], results, store)
    assert (again.added, len(again.known)) == ([], 3)


def test_what_was_delivered_is_not_delivered_again(undelivered: Workplace, tmp_path: Path) -> None:
    Delivery(tmp_path / "out").deliver(undelivered, {"small"})
    Delivery(tmp_path / "next").deliver(undelivered, {"small"})
    assert not list((tmp_path / "next").glob("*"))
    Delivery.forget(undelivered.results)
    Delivery(tmp_path / "lost").deliver(undelivered, {"small"})
    volumes = [tmp_path / folder / "campaign-1.zip" for folder in ("out", "lost")]
    names = [sorted(zipfile.ZipFile(volume).namelist()) for volume in volumes]
    assert names[0] == names[1]


def test_large_weights_are_divided_among_volumes(
    campaign: Campaign, undelivered: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.campaign.delivery._PIECE_BYTES", 12_000)
    limits = Limits(files=8, file_bytes=50_000, total_bytes=400_000, figures_bytes=10_000)
    left = Delivery(tmp_path, limits).deliver(undelivered, {"small"})
    sizes = [file.stat().st_size for file in tmp_path.glob("campaign-*.zip")]
    assert left == []
    assert 2 < len(sizes) <= 8
    assert max(sizes) <= 50_000
    store = store_in(tmp_path)
    assert len(merge_volumes([tmp_path], ResultsFolder(tmp_path / "merged"), store).models) == 2


def test_figures_come_before_weights_where_room_is_short(
    undelivered: Workplace, tmp_path: Path
) -> None:
    limits = Limits(files=1, file_bytes=60_000, total_bytes=60_000, figures_bytes=10_000)
    left = Delivery(tmp_path, limits).deliver(undelivered, {"small"})
    assert [result.name for result in left] == ["small, final fit", "small, seed 0"]
    merged = merge_volumes([tmp_path], ResultsFolder(tmp_path / "merged"), store_in(tmp_path))
    assert len(merged.added) == 3
    assert merged.models == merged.incomplete == []
    assert Delivery(tmp_path / "next").deliver(undelivered, {"small"}) == []
    assert list((tmp_path / "next").glob("*.zip"))


def test_weights_that_lack_a_piece_are_left_out(
    undelivered: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.campaign.delivery._PIECE_BYTES", 12_000)
    limits = Limits(files=8, file_bytes=50_000, total_bytes=400_000, figures_bytes=10_000)
    Delivery(tmp_path, limits).deliver(undelivered, {"small"})
    (tmp_path / "campaign-3.zip").unlink()
    store = store_in(tmp_path)
    merged = merge_volumes([tmp_path], ResultsFolder(tmp_path / "merged"), store)
    assert merged.incomplete
    assert store.list_ids(ModelRef) == merged.models


def test_nothing_to_merge_and_damaged_volumes_are_errors(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "merged")
    with pytest.raises(DataError, match=r"campaign-1\.zip"):
        merge_volumes([tmp_path], results)
    for number in (1, 2):
        (tmp_path / f"campaign-{number}.zip").write_bytes(b"half a")
    with pytest.raises(DataError) as caught:
        merge_volumes([tmp_path], results)
    assert len(caught.value.problems) == 2
    with zipfile.ZipFile(tmp_path / "campaign-3.zip", "w") as archive:
        archive.writestr("results/a.json", json.dumps({"key": "a"}))
    with pytest.raises(DataError, match="trained again"):
        merge_volumes([tmp_path / "campaign-3.zip"], results)


def test_the_file_of_all_figures_holds_what_the_table_needs(
    campaign: Campaign, tmp_path: Path
) -> None:
    file = tmp_path / "results.json"
    assert read_results_file(file) == []
    results = campaign.workplace.results.read_all()
    write_results_file(file, results)
    read = read_results_file(file)
    assert {one.key for one in read} == {one.key for one in results}
    assert all(one.lineage == {} for one in read)
    write_results_file(tmp_path / "again.json", read[::-1])
    assert (tmp_path / "again.json").read_text() == file.read_text()
    file.write_text("{")
    with pytest.raises(DataError, match="restore the file"):
        read_results_file(file)
