"""Whatever the layout, names, order and packing: the right label, or a refusal."""

import os
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fer_models.classes.names import class_name
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.read import read_sources
from tests.fer_models.ingest.archives import write_archive
from tests.fer_models.ingest.builders import write_folder
from tests.fer_models.ingest.layouts.drawn import Drawn, key
from tests.fer_models.ingest.layouts.drawn_published import FAMILIES

PACKINGS = ("", ".zip", ".tar.gz")
NEUTRAL = ("", "data/")
"""Folders around a source that have no meaning."""
NUM_EXAMPLES = int(os.environ.get("FERFLOW_TEST_EXAMPLES", "8"))
"""For each family; the variable sets it for a long run."""


def outcome(path: Path, drawn: Drawn) -> dict[str, str] | str:
    """The label of each image by its pixels, or "refused"."""
    try:
        config = DataConfig(sources=(str(path),), **drawn.settings)  # type: ignore[arg-type]
        [one] = read_sources(config, seed=0)
    except DataError:
        return "refused"
    assert one.table is not None
    labels = [one.table.label_names[n] if n >= 0 else "" for n in one.table.fields["label"]]
    return {key(image): label for image, label in zip(one.table.images, labels, strict=True)}


@pytest.mark.parametrize("family", FAMILIES)
@given(st.data(), st.sampled_from([*NEUTRAL, "joyful/", "a/Happy/"]), st.randoms())
@settings(
    max_examples=NUM_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_label_is_right_or_refused_and_packing_changes_nothing(
    family: str, data: st.DataObject, wrapper: str, random: Random
) -> None:
    drawn = data.draw(FAMILIES[family])
    [first, *others] = drawn.files
    is_table = not others
    wrapped = {("" if is_table else wrapper) + path: data for path, data in drawn.files.items()}
    shuffled = dict(random.sample(sorted(wrapped.items()), len(wrapped)))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plain = write_folder(root / "faces", wrapped)  # type: ignore[arg-type]
        if is_table:
            plain /= first
        outcomes = [outcome(plain, drawn)]
        outcomes += [
            outcome(write_archive(root / f"faces{suffix}", shuffled), drawn)
            for suffix in PACKINGS[1:]
        ]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    event("refused" if outcomes[0] == "refused" else "read")
    if outcomes[0] != "refused":
        assert outcomes[0] == {pixels: class_name(name) for pixels, name in drawn.truth.items()}
    else:
        assert not (drawn.is_certain and wrapper in NEUTRAL)
