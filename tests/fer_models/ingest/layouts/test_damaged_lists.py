"""A damaged list of labels leads to a message or bad rows, never to a crash."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.read import read_sources
from tests.fer_models.ingest.builders import write_folder
from tests.fer_models.ingest.layouts.published import LAYOUTS

WITH_LISTS = [name for name, build in LAYOUTS.items() if len(build().files) > len(build().labels)]


@pytest.mark.parametrize("layout", [name for name in WITH_LISTS if name != "JAFFE"])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_damage_is_a_message_or_a_bad_row(layout: str, data: st.DataObject) -> None:
    built = LAYOUTS[layout]()
    lists = sorted(built.files.keys() - built.labels.keys())
    name = data.draw(st.sampled_from(lists))
    content = bytearray(built.files[name])
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    content[start:end] = data.draw(st.binary(max_size=20))
    files = {**built.files, name: bytes(content)}
    with tempfile.TemporaryDirectory() as folder:
        root = write_folder(Path(folder) / "faces", files)  # type: ignore[arg-type]
        config = DataConfig(sources=(str(root),), quarantine_bad_rows=True)
        with suppress(DataError):
            read_sources(config, seed=0)
