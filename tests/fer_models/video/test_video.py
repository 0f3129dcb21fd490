"""Videos from file to file; faces are found in `test_real_faces_are_tracked` only."""

import csv
import io
import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.errors import ConfigError, DataError, FerError
from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Pixels
from fer_models.labels import CLASS_NAMES
from fer_models.progress import Progress, listening
from fer_models.video import predict_video as module
from fer_models.video.analyse import VideoOutputs, analyse_video
from fer_models.video.files import video_format
from fer_models.video.frames import Frame, Video, open_video
from fer_models.video.predict_video import VideoSettings
from fer_models.video.write import CODECS, annotated_video, check_codec
from tests.fer_models.video.clips import MODEL, SIZE, read_clip, write_clip

WHOLE = VideoSettings(faces="crop", time_constant_s=0)
REAL_FACES = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("rate", "expected"), [(5, range(0, 50, 5)), (25, range(50)), (240, range(50))]
)
def test_the_chosen_frames_are_evenly_spaced(tmp_path: Path, rate: float, expected: range) -> None:
    with open_video(str(write_clip(tmp_path / "clip.mp4"))) as video:
        assert (video.frame_rate, video.num_frames) == (25, 50)
        frames = list(video.frames(rate))
    assert [frame.number for frame in frames if frame.is_chosen] == list(expected)
    for frame in frames:
        assert frame.time_s == pytest.approx(frame.number / 25, abs=1e-3)
        if frame.pixels is not None:
            np.testing.assert_allclose(frame.pixels, 4 * frame.number, atol=6)


@pytest.mark.parametrize("rate", [3, 7, 10, 12.5])
def test_any_rate_chooses_as_many_frames_as_it_says(tmp_path: Path, rate: float) -> None:
    with open_video(str(write_clip(tmp_path / "clip.mp4", num_frames=100))) as video:
        chosen = [frame for frame in video.frames(rate) if frame.is_chosen]
    assert len(chosen) == pytest.approx(4 * rate, abs=1)
    gaps = np.diff([frame.time_s for frame in chosen])
    assert np.all(np.abs(gaps - 1 / rate) <= 1 / 25 + 1e-6)


def test_every_analysed_frame_is_a_row(tmp_path: Path) -> None:
    out = tmp_path / "faces.csv"
    with open_video(str(write_clip(tmp_path / "clip.mp4"))) as video:
        summary = analyse_video(video, MODEL, WHOLE, VideoOutputs(file=out))
    found = rows(out)
    assert [int(row["frame"]) for row in found] == list(range(0, 50, 5))
    assert [float(row["time_s"]) for row in found] == pytest.approx(np.arange(0, 2, 0.2))
    assert {row["track"] for row in found} == {"0"}
    assert [row["label"] for row in found] == [
        CLASS_NAMES[4 * frame * 7 // 256] for frame in range(0, 50, 5)
    ]
    assert summary.num_frames == 10
    assert sum(summary.counts.values()) == summary.tracks[0].total() == 10


def test_json_lines_hold_every_frame(tmp_path: Path) -> None:
    out = tmp_path / "faces.jsonl"
    with open_video(str(write_clip(tmp_path / "clip.mp4"))) as video:
        analyse_video(video, MODEL, WHOLE, VideoOutputs(out, "jsonl"), max_seconds=1)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["frame"] for line in lines] == [0, 5, 10, 15, 20, 25]
    assert lines[0]["faces"][0]["track"] == 0
    assert sum(lines[0]["faces"][0]["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("suffix", CODECS)
def test_the_annotated_video_has_all_frames(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"faces{suffix}"
    with open_video(str(write_clip(tmp_path / "clip.mp4", num_frames=23))) as video:
        analyse_video(video, MODEL, WHOLE, VideoOutputs(annotated=out))
    frames = read_clip(out)
    assert len(frames) == 23
    # The bars are beside the frame.
    assert frames[0].shape[1] > 1.5 * SIZE[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", out.name]


@pytest.mark.parametrize(("rate", "seconds", "expected"), [(5, 1.5, 38), (0.5, 1.9, 48)])
def test_the_annotated_video_ends_at_the_last_second(
    tmp_path: Path, rate: float, seconds: float, expected: int
) -> None:
    out = tmp_path / "faces.mp4"
    settings = VideoSettings(faces="crop", rate=rate)
    with open_video(str(write_clip(tmp_path / "clip.mp4"))) as video:
        analyse_video(video, MODEL, settings, VideoOutputs(annotated=out), max_seconds=seconds)
    assert len(read_clip(out)) == expected


def test_only_the_frames_up_to_the_next_analysed_one_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_all = Video.frames
    decoded: list[weakref.ref[Pixels]] = []
    num_held: list[int] = []

    def read(video: Video, rate: float, *, decode_all: bool = False) -> Iterator[Frame]:
        for frame in read_all(video, rate, decode_all=decode_all):
            assert frame.pixels is not None
            decoded.append(weakref.ref(frame.pixels))
            num_held.append(sum(one() is not None for one in decoded))
            yield frame

    clip = str(write_clip(tmp_path / "clip.mp4", num_frames=110))
    settings = VideoSettings(faces="crop", time_constant_s=0, rate=1)
    with open_video(clip) as video:
        analyse_video(video, MODEL, settings, VideoOutputs(annotated=tmp_path / "one_batch.mp4"))
    monkeypatch.setattr(module, "_BATCH_BYTES", 10 * SIZE[0] * SIZE[1] * 3)
    monkeypatch.setattr(Video, "frames", read)
    with open_video(clip) as video:
        analyse_video(video, MODEL, settings, VideoOutputs(annotated=tmp_path / "batches.mp4"))
    assert len(decoded) == 110
    # One of 25 is analysed; the reader and the batch before may still have their last frames.
    assert 25 <= max(num_held) <= 28
    np.testing.assert_array_equal(
        read_clip(tmp_path / "batches.mp4"), read_clip(tmp_path / "one_batch.mp4")
    )


def test_an_interrupted_video_keeps_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "faces.csv"
    events: list[Progress] = []

    def interrupt(event: Progress) -> None:
        events.append(event)
        if len(events) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_BATCH", 1)
    with listening(interrupt), open_video(str(write_clip(tmp_path / "clip.mp4"))) as video:
        summary = analyse_video(video, MODEL, WHOLE, VideoOutputs(file=out))
    assert summary.was_interrupted
    assert len(rows(out)) == 3
    assert [(event.done, event.total, event.unit) for event in events] == [
        (1, 50, "frames"), (6, 50, "frames"), (11, 50, "frames"),
    ]  # fmt: skip


def test_a_failure_writes_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    (tmp_path / "faces.csv").write_text("old")

    events: list[Progress] = []

    def fail(event: Progress) -> None:
        events.append(event)
        if len(events) < 3:  # until the annotated video has frames
            return
        raise OSError(28, "No space left on device")

    outputs = VideoOutputs(tmp_path / "faces.csv", annotated=tmp_path / "faces.mp4")
    with open_video(str(clip)) as video, listening(fail), pytest.raises(FerError, match="space"):
        analyse_video(video, MODEL, WHOLE, outputs)
    assert (tmp_path / "faces.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "faces.csv"]


def test_a_video_that_is_cut_off_is_read_to_its_end_with_a_warning(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", num_frames=60, codec="MJPG")
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 2 // 3])
    warnings: list[str] = []
    with (
        open_video(str(clip)) as video,
        listening(lambda event: warnings.append(event.note) if event.is_warning else None),
    ):
        summary = analyse_video(video, MODEL, WHOLE)
    assert 0 < summary.num_frames < 12
    if video.num_frames > 50:  # where the container still says how many there were
        assert "damaged or cut off" in warnings[0]


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("{0}/absent.mp4", "no such file"),
        ("{0}", "got a folder"),
        ("{0}/noise.mp4", "expected a video that OpenCV can read"),
        ("{0}/half.mp4", "expected a video that OpenCV can read"),
        ("http://host/clip.mp4", "a URL; download it"),
        ("97", "camera 97: expected a camera of this number"),
        ("1000", "expected a number of at most 99"),
    ],
)
def test_what_is_no_video_is_named(tmp_path: Path, source: str, part: str) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 20)
    whole = write_clip(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=part), open_video(source.format(tmp_path)):
        pass


def test_unknown_endings_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"\.mp4, \.webm, \.avi"):
        check_codec(Path("faces.gif"))
    with pytest.raises(ConfigError, match=r"\.csv or \.jsonl"):
        video_format(Path("faces.parquet"))
    assert video_format(Path("faces.parquet"), "csv") == "csv"


@pytest.mark.parametrize("suffix", CODECS)
def test_frames_of_odd_sides_are_written(tmp_path: Path, suffix: str) -> None:
    with annotated_video(tmp_path / f"odd{suffix}", 10) as video:
        for _ in range(3):
            video.add(np.zeros((333, 481, 3), dtype=np.uint8), ())
    assert [frame.shape for frame in read_clip(tmp_path / f"odd{suffix}")] == [(332, 480, 3)] * 3


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not REAL_FACES.exists(), reason="the real FER2013 images are not here")
def test_real_faces_are_tracked_across_the_picture(tmp_path: Path) -> None:
    import cv2

    png = pd.read_parquet(REAL_FACES, columns=["png"])["png"]
    faces = [Image.open(io.BytesIO(png[row])).resize((150, 150)) for row in (7, 15)]
    writer = cv2.VideoWriter(
        str(tmp_path / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 480)
    )
    for number in range(50):
        frame = Image.new("RGB", (640, 480), (120, 130, 140))
        frame.paste(faces[0], (40 + 3 * number, 60))
        frame.paste(faces[1], (440 - 2 * number, 220))
        writer.write(np.asarray(frame)[..., ::-1].copy())
    writer.release()
    with open_video(str(tmp_path / "clip.mp4")) as video:
        summary = analyse_video(video, open_model("bundled:face_cnn"))
    assert summary.num_frames == 10
    assert sorted(counts.most_common(1)[0] for counts in summary.tracks.values()) == [
        ("happy", 10), ("surprise", 10),
    ]  # fmt: skip
