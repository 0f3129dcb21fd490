"""A plan that trains in seconds, a packed dataset, and a campaign that has been run."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.pack import pack_snapshot
from fer_models.campaign.plan import Task, read_plan, tasks_of
from fer_models.campaign.training import Workplace, train_task
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.training.faces import write_faces

TINY = """
name: tiny
budget_s: 600
seeds: [0, 1]
shared:
  - &training {epochs: 2, batch_size: 28, learning_rate: 0.02}
experiments:
  - name: small
    question: Do stripes teach?
    keep_weights: true
    final_fit: true
    member: {network: {name: compact_cnn, width: 0.25}, training: *training}
  - name: student
    baseline: small
    seeds: [0]
    member:
      network: {name: compact_cnn, width: 0.25}
      teachers: [small]
      training: {<<: *training, consistent_teachers: true, teacher_copies: 1}
"""


@dataclass(frozen=True)
class Campaign:
    """A plan whose first training, its final fit and its student are finished."""

    plan: CampaignPlan
    plan_file: Path
    workplace: Workplace
    snapshot: SnapshotRef
    faces: Path

    def key(self, name: str) -> str:
        """Key of a task of the plan."""
        task = next(task for task in tasks_of(self.plan) if task.name == name)
        return task.key(self.plan, self.snapshot.id)


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Trained in this process; only to be read."""
    folder = tmp_path_factory.mktemp("a campaign")
    plan_file = folder / "tiny.yaml"
    plan_file.write_text(TINY)
    plan, workplace = read_plan(str(plan_file)), Workplace(folder / "work")
    snapshot = write_faces(workplace.store)
    faces = folder / "faces.pack"
    pack_snapshot(workplace.store, snapshot, faces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(workplace.cache))
        small, student = plan.experiments
        for task in (Task(small, 0), Task(small, 0, is_final=True), Task(student, 0)):
            train_task(workplace, plan, task, snapshot, deadline_s=float("inf"))
    return Campaign(plan, plan_file, workplace, snapshot, faces)


def store_in(folder: Path) -> ArtifactStore:
    """An empty store."""
    return ArtifactStore(StoreConfig(url=str(folder / "store")))
