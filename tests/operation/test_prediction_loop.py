"""From new pictures to a new training: predictions, their drift, and the check that it starts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.synthetic.action_units import draw_traits
from fer_models.synthetic.faces import draw_faces
from tests.deployments.processes import Workspace
from tests.operation.served import Up, records, served, wait_until, write_faces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

NUM_PICTURES = 70
TRAINED = ("Promoted", "Not promoted")
WATCHED = (
    "--set",
    'retraining.recent_images=["predictions:1d"]',
    "--set",
    f"retraining.drift.min_images={NUM_PICTURES}",
)


def _write_pictures(folder: Path, seed: int, brightness: float = 1.0) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(NUM_PICTURES, dtype=np.int64) % 7
    folder.mkdir()
    for number, face in enumerate(draw_faces(draw_traits(labels, rng), rng)):
        Image.fromarray((face * brightness).astype(np.uint8)).save(folder / f"{number}.png")


def _retrains(up: Up) -> list[str]:
    with up.client() as client:
        deployment = client.read_deployment_by_name("retrain/retrain")
        runs = [run for run in client.read_flow_runs() if run.deployment_id == deployment.id]
    return [str(run.id) for run in runs if run.state and not run.state.is_scheduled()]


def test_drifted_pictures_start_a_retraining(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    faces, store = tmp_path / "faces", tmp_path / "store"
    write_faces(faces, per_class=20, seed=1)
    options = ("--recipe", "tiny.yaml", "--data", str(faces), "--store", str(store), *WATCHED)
    _write_pictures(tmp_path / "usual", seed=2)
    _write_pictures(tmp_path / "dark", seed=3, brightness=0.3)

    with served(workspace, *options) as up:
        trained = up.ended(up.start_run("run-pipeline"))
        assert trained.name == "Promoted", trained.message

        usual = up.start_run("predict-batch", pictures=[str(tmp_path / "usual")])
        assert up.ended(usual).name == "Completed"
        again = up.ended(up.start_run("predict-batch", pictures=[str(tmp_path / "usual")]))
        assert again.name == "Nothing to do"
        assert _retrains(up) == []

        dark = up.start_run("predict-batch", pictures=[str(tmp_path / "dark")])
        assert up.ended(dark).name == "Completed"
        wait_until(lambda: bool(_retrains(up)), 120, "drift starts the check")
        [started] = _retrains(up)
        retrained = up.ended(up.run(started).id)  # type: ignore[arg-type]
        assert retrained.name in TRAINED, retrained.message
        assert "drift" in up.logs(up.run(started).id)  # type: ignore[arg-type]
        assert up.stop() == 0

    runs = [(run["flow"], run["state"]) for run in records(workspace, store)]
    predicted = [state for flow, state in reversed(runs) if flow == "predict-batch"]
    assert predicted == ["completed", "skipped", "completed"]
