"""Export of networks and ensembles as ONNX files, compared with torch."""

from pathlib import Path

import numpy as np

from fer_models.inference.export_onnx import write_onnx
from fer_models.inference.open_model import open_model
from fer_models.training.predict import load_network, predict_probabilities
from tests.fer_models.inference.conftest import Exported
from tests.fer_models.ingest.builders import random_images


def test_a_stored_network_predicts_the_same_as_an_onnx_file(
    exported: Exported, tmp_path: Path
) -> None:
    path, facts = write_onnx(exported.model.id, tmp_path, exported.store, name="small", tta="flip")
    images = random_images(20)
    network, preprocessing = load_network(exported.store, exported.model)
    preprocessing["tta"] = "flip"
    expected = predict_probabilities(network, preprocessing, images)
    model = open_model(str(path))
    np.testing.assert_allclose(model.predict(images), expected, atol=1e-5)
    assert list(model.classes) == preprocessing["classes"]
    assert facts.views == 2
