"""ONNX files predict what torch predicts, on all PublicTest images of FER2013."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.bundles.shipped import bundled_names, shipped_facts
from fer_models.bundles.speed import Speed
from fer_models.inference.networks import load_bundled
from fer_models.inference.open_model import open_model

REAL_DATA = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"
pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def public_test() -> tuple[np.ndarray, np.ndarray]:
    """Images and labels."""
    if not REAL_DATA.is_file():
        pytest.skip(f"{REAL_DATA} is not here")
    rows = pd.read_parquet(REAL_DATA).query("Usage == 'PublicTest'")
    images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in rows["png"]])
    return images, rows["emotion"].to_numpy()


@pytest.mark.parametrize("speed", ["fast", "balanced"])
@pytest.mark.parametrize("name", bundled_names())
def test_probabilities_equal_those_of_torch(
    name: str, speed: Speed, public_test: tuple[np.ndarray, np.ndarray]
) -> None:
    images, labels = public_test
    loaded = load_bundled(f"bundled:{name}")
    expected = loaded.at_speed(speed).predict(images)
    found = open_model(f"bundled:{name}", speed=speed).predict(images)
    assert np.abs(found - expected).max() < 1e-3
    facts = shipped_facts()[name]
    if facts.final_fit_of:
        return  # it has learned from these images; the recorded accuracy is another network's
    recorded = facts.speeds[speed].accuracy["validation"]
    assert (len(labels), float(np.mean(found.argmax(1) == labels))) == (
        recorded.n,
        pytest.approx(recorded.accuracy, abs=1e-3),
    )
