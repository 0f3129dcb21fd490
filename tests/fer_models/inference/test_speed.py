"""Speeds: views, accuracy, the default model, and starting without torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.bundles import shipped
from fer_models.bundles.facts import BundleFacts
from fer_models.bundles.shipped import bundled_names, default_bundle, shipped_facts
from fer_models.bundles.speed import SPEEDS, Speed, views_at
from fer_models.inference.networks import load_bundled
from fer_models.inference.open_model import open_model
from fer_models.models.summary import summarize
from fer_models.training.inputs.tta import NUM_VIEWS
from tests.fer_models.inference.conftest import Exported
from tests.fer_models.ingest.builders import random_images


@pytest.mark.parametrize(("own", "expected"), [(1, [1, 1, 1]), (2, [1, 2, 2]), (18, [1, 2, 18])])
def test_a_speed_never_computes_more_views_than_the_model_has(
    own: int, expected: list[int]
) -> None:
    assert [views_at(speed, own) for speed in SPEEDS] == expected


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_shipped_bundle_predicts_the_same_with_and_without_torch(speed: Speed) -> None:
    images = random_images(6)
    for name in bundled_names():
        expected = load_bundled(f"bundled:{name}").at_speed(speed).predict(images)
        found = open_model(f"bundled:{name}", speed=speed).predict(images)
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=name)


def test_the_cost_of_shipped_bundles_is_that_of_their_views() -> None:
    for facts in shipped_facts().values():
        networks = [facts] if isinstance(facts, BundleFacts) else facts.members
        assert list(facts.speeds) == list(SPEEDS)
        for speed, one in facts.speeds.items():
            multiply_adds = 0
            for network in networks:
                views = views_at(speed, NUM_VIEWS[network.preprocessing.tta])
                multiply_adds += views * summarize(network.member.network, depth=1).multiply_adds
            assert one.multiply_adds == multiply_adds
        assert facts.speeds["best"].accuracy == facts.accuracy


def test_speeds_of_shipped_bundles_are_measured_on_one_machine() -> None:
    shipped = shipped_facts()
    for name, facts in shipped.items():
        rates = [one.faces_per_s for one in facts.speeds.values()]
        assert None not in rates, name
        assert rates == sorted(rates, reverse=True), name
        if facts.final_fit_of:  # the same networks with other weights
            repeated = "face_cnn_soup" if name == "face_cnn_final" else name.removesuffix("_final")
            assert rates == [one.faces_per_s for one in shipped[repeated].speeds.values()]
    assert len({one.machine for facts in shipped.values() for one in facts.speeds.values()}) == 1


def test_an_exported_bundle_has_accuracy_and_cost_of_each_speed(exported: Exported) -> None:
    speeds = exported.facts.speeds
    assert [speeds[speed].views for speed in SPEEDS] == [1, 1, 1]  # the network has no TTA
    assert speeds["best"].accuracy == exported.facts.accuracy
    assert speeds["fast"].multiply_adds > 0


def test_the_cheapest_bundle_that_is_accurate_enough_is_the_default(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_SHIPPED", tmp_path)
    text = (exported.folder / "small.json").read_text()
    bundles = {
        "slow": (0.75, 300),
        "earlier": (0.715, 100),
        "quick": (0.72, 100),
        "final": (0.73, 100),
        "poor": (0.6, 10),
    }
    for name, (accuracy, cost) in bundles.items():
        measured = {"validation": {"accuracy": accuracy, "n": 9}}
        balanced = {"views": 2, "multiply_adds": cost, "accuracy": measured}
        facts = json.loads(text) | {"name": name, "speeds": {"balanced": balanced}}
        facts["final_fit_of"] = "quick-1" if name == "final" else ""
        (tmp_path / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")
        shutil.copy(exported.folder / "small.safetensors", tmp_path / f"{name}.safetensors")
    assert default_bundle() == "quick"  # not the less accurate one of that cost, nor a final fit
    for name in ("slow", "earlier", "quick", "final"):
        (tmp_path / f"{name}.json").unlink()
    assert default_bundle() == "poor"


_COMMAND = """
import sys
from deployments.cli import main
try:
    main(["predict", sys.argv[1], "--faces", "crop", "--model", sys.argv[2]])
except SystemExit as stop:
    assert stop.code == 0, stop.code
heavy = {"torch", "timm", "sklearn", "scipy", "onnx", "ray", "prefect"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("kind", ["bundled", "file"])
def test_prediction_without_a_stored_model_loads_no_torch(kind: str, tmp_path: Path) -> None:
    Image.new("L", (48, 48), 90).save(tmp_path / "face.png")
    graph = shipped.graph_file("face_cnn")
    assert graph is not None
    model = "bundled" if kind == "bundled" else str(graph)
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, str(tmp_path / "face.png"), model],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
