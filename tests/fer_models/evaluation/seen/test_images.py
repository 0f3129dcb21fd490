"""Which images of a snapshot were trained on."""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import open_snapshot, pixel_sha256, write_snapshot
from fer_models.evaluation.seen.images import exactly_seen, seen_with_near_copies
from fer_models.evaluation.seen.trainings import Training
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_snapshot
from tests.fer_models.lineages import brightened, moved

TRAIN = ("train",)


def test_an_image_is_known_by_its_pixels_in_any_split(store: ArtifactStore) -> None:
    before = open_snapshot(store, build_snapshot(store, num_leaks=0))
    learned = before.positions("train")[:20]
    after = moved(store, before, learned, "test")
    expected = np.isin(np.arange(len(before.manifest)), before.positions("train"))
    seen = exactly_seen(store, after, {Training(before.ref.id, TRAIN)})
    np.testing.assert_array_equal(seen, expected)
    both = exactly_seen(store, after, {Training(before.ref.id, ("train", "validation"))})
    assert both.sum() == len(before.positions("train")) + len(before.positions("validation"))


def test_images_in_another_format_are_known_by_their_ids(store: ArtifactStore) -> None:
    before = open_snapshot(store, build_snapshot(store, num_leaks=0))
    larger = np.asarray(before.images).repeat(2, axis=1).repeat(2, axis=2)
    manifest = before.manifest.assign(pixel_sha256=pixel_sha256(larger))
    facts = {"image_format": {"size_px": larger.shape[1]}}
    after = write_snapshot(store, manifest, larger, "split", info=facts)
    seen = exactly_seen(store, after, {Training(before.ref.id, TRAIN)})
    np.testing.assert_array_equal(np.flatnonzero(seen), before.positions("train"))


def test_quarantined_images_were_not_trained_on(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, num_leaks=3))
    seen = exactly_seen(store, snapshot.ref, {Training(snapshot.ref.id, TRAIN)})
    np.testing.assert_array_equal(np.flatnonzero(seen), snapshot.positions("train"))


def test_a_snapshot_that_is_gone_is_skipped(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store))
    gone = {Training("gone", TRAIN)}
    rows = snapshot.positions("test")
    assert not exactly_seen(store, snapshot.ref, gone).any()
    assert not seen_with_near_copies(store, snapshot, gone, rows, "test").any()


def test_near_copies_count_also_of_images_that_are_gone(store: ArtifactStore) -> None:
    before = open_snapshot(store, build_snapshot(store, num_leaks=0))
    learned = before.positions("train")[:15]
    after = brightened(store, before, learned, "test")
    trainings, rows = {Training(before.ref.id, TRAIN)}, after.positions("test")
    assert not exactly_seen(store, after.ref, trainings)[rows].any()
    seen = seen_with_near_copies(store, after, trainings, rows, "test")
    np.testing.assert_array_equal(rows[seen], learned)


def test_near_copies_of_images_that_are_gone_are_searched_once(store: ArtifactStore) -> None:
    before = open_snapshot(store, build_snapshot(store, num_leaks=0))
    learned = before.positions("train")[:15]
    after = brightened(store, before, learned, "test")
    trained = Training(before.ref.id, TRAIN)
    rows = after.positions("test")

    def search(training: Training, positions: npt.NDArray[np.int64]) -> tuple[list[int], int]:
        events: list[Progress] = []
        with listening(events.append):
            seen = seen_with_near_copies(store, after, {training}, positions, "seen-test")
        return positions[seen].tolist(), sum(event.stage == "seen-test" for event in events)

    found, num_events = search(trained, rows)
    assert found == learned.tolist()
    assert num_events > 0
    assert search(trained, rows) == (found, 0)
    fewer, num_events = search(trained, rows[::2])
    assert fewer == [row for row in rows[::2] if row in found]
    assert num_events > 0
    both, num_events = search(Training(before.ref.id, ("train", "validation")), rows)
    assert both == found
    assert num_events > 0
