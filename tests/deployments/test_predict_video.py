"""`ferflow predict --video`, from a file to files."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import fer_models
from deployments.cli import main
from tests.fer_models.faces.pictures import photo
from tests.fer_models.video.clips import MODEL, read_clip, write_clip, write_photos

FAST = ("--model", "bundled:face_cnn", "--speed", "fast", "--faces", "crop")


def ferflow(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["predict", *arguments])


@pytest.fixture
def clip(tmp_path: Path) -> str:
    return str(write_clip(tmp_path / "clip.mp4", num_frames=26))


def test_a_video_becomes_a_table_and_an_annotated_video(clip: str, tmp_path: Path) -> None:
    out, copy = str(tmp_path / "faces.csv"), str(tmp_path / "copy.mp4")
    done = ferflow(
        "--video", clip, *FAST, "--out", out, "--annotate", copy, "--fps", "10", "--json"
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["out"], said["annotated"], said["interrupted"]) == (out, copy, False)
    assert said["frames"] == sum(said["counts"].values()) == sum(said["tracks"]["0"].values())
    with Path(out).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == said["frames"] == 11
    assert len(read_clip(Path(copy))) == 26
    assert "26/26 frames" in done.stderr


def test_without_files_the_faces_are_listed(clip: str) -> None:
    done = ferflow("--video", clip, *FAST, "--seconds", "0.5", "--smooth", "0")
    assert done.exit_code == 0, done.output
    head, row, facts = done.stdout.splitlines()
    assert head.split() == ["face", "frames", "most", "often"]
    assert row.split()[:2] == ["0", "3"]
    assert facts.strip() == "analysed  3 frames, 0.4 s"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--video", "{clip}", "photo.jpg"), ["pass only one of them"]),
        (("--fps", "3", "{clip}"), ["--fps: only for a video; pass --video FILE"]),
        (("{clip}",), ["a video, not a picture; `ferflow predict --video FILE` reads it"]),
        (
            ("--video", "absent.mp4", "--out", "{clip}/b.csv"),
            ["2 problems", "absent.mp4", "/b.csv"],
        ),
        (("--video", "{clip}", "--out", "faces.parquet"), ["ends with .csv or .jsonl"]),
        (("--video", "{clip}", "--annotate", "faces.gif"), ["ends with .mp4, .webm"]),
        (("--video", "98"), ["camera 98: expected a camera of this number"]),
    ],
)
def test_bad_input_is_one_message(
    clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    parts: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done = ferflow(*(text.format(clip=clip) for text in arguments))
    assert done.exit_code == 2, done.output
    for part in parts:
        assert part in done.stderr
    assert done.stderr.count("error: ") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_the_source_is_never_overwritten(clip: str, tmp_path: Path) -> None:
    source = Path(clip)
    before = source.read_bytes()
    (tmp_path / "link.mp4").symlink_to(source)
    for arguments in (
        ("--annotate", clip),
        ("--annotate", str(tmp_path / "link.mp4")),
        ("--annotate", f"{tmp_path}/../{tmp_path.name}/clip.mp4"),
        ("--out", clip, "--format", "csv"),
    ):
        done = ferflow("--video", clip, *FAST, *arguments)
        assert done.exit_code == 2, done.output
        assert f"{arguments[0]} {clip}: this is a file to predict; choose another" in done.stderr
        assert source.read_bytes() == before


def test_both_results_need_a_file_of_their_own(clip: str, tmp_path: Path) -> None:
    same = str(tmp_path / "new.mp4")
    done = ferflow("--video", clip, *FAST, "--out", same, "--format", "csv", "--annotate", same)
    assert done.exit_code == 2, done.output
    assert f"--out {same}: this is also what --annotate writes" in done.stderr
    assert not Path(same).exists()


def test_the_smallest_face_is_an_option(tmp_path: Path) -> None:
    clip = str(write_photos(tmp_path / "clip.mp4", photo((20, 40, 160), (240, 100, 80))))
    given = ["--video", clip, *FAST[:4], "--json"]
    said = [
        json.loads(ferflow(*given, *more).stdout.splitlines()[-1])
        for more in ((), ("--min-face", "110"))
    ]
    assert [len(one["tracks"]) for one in said] == [2, 1]


def test_rates_out_of_range_are_refused_with_the_usage(clip: str) -> None:
    for arguments in (("--fps", "0"), ("--smooth", "-1"), ("--seconds", "0")):
        done = ferflow("--video", clip, *arguments)
        assert done.exit_code == 2
        assert "Usage: " in done.stderr


def test_python_reads_the_same_video(clip: str) -> None:
    found = fer_models.predict_video(clip, model=MODEL, faces="crop", rate=10)
    assert len(found) == 11
    table = found.to_frame()
    assert table["frame"].tolist() == [frame.frame for frame in found]
    assert table["track"].eq(0).all()
    assert repr(found[:2]) == "<2 frames, 1 faces>"
    with pytest.raises(ValueError, match="rate"):
        fer_models.predict_video(clip, model=MODEL, rate=0)
    with pytest.raises(fer_models.FerError, match="no such file"):
        fer_models.predict_video("absent.mp4", model=MODEL)
