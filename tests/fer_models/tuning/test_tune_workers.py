"""Ray Train inside Ray Tune: each trial trains on two workers."""

import pytest

from fer_models.errors import ConfigError
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.schedulers.perturbation import check_population
from fer_models.tuning.tune import trial_demand, tune_member
from tests.fer_models.ray_workers import ray_workers
from tests.fer_models.training.faces import write_faces
from tests.fer_models.tuning.test_tune import MEMBER, SEARCH

ON_TWO = MEMBER.model_copy(
    update={"training": MEMBER.training.model_copy(update={"workers": 2, "cpus_per_worker": 0.9})}
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_trials_train_on_two_workers_with_two_cores(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.processes.num_cores", lambda: 2)
    search = SEARCH.model_copy(
        update={
            "num_trials": 2,
            "max_concurrent_trials": 2,  # the cluster has room for one
            "scheduler": "none",
            "search_space": SEARCH.search_space[:1],
        }
    )
    workers: set[int] = set()

    def count(progress: Progress) -> None:
        if 0 < progress.done < 1:
            workers.update(worker.pid for worker in ray_workers("RayTrainWorker"))

    with listening(count):
        tuning = tune_member(store, write_faces(store), ON_TWO, search, 0)
    trials = store.read_json(tuning, "trials.json")
    assert [trial["epochs"] for trial in trials] == [2, 2]
    assert store.info(tuning)["num_failed"] == 0
    assert len(workers) == 2


def test_a_trial_demands_the_resources_of_all_its_workers() -> None:
    demand = trial_demand(TuningConfig(cpus_per_trial=7), ON_TWO, 0)
    assert (demand.pieces, demand.cpus) == (2, 0.9)
    assert 0 < demand.more_cpus < 0.01
    assert demand.num_cpus == 2
    alone: MemberConfig = MEMBER
    assert trial_demand(TuningConfig(cpus_per_trial=7), alone, 0).num_cpus == 7


def test_a_population_rejects_members_with_several_workers() -> None:
    with pytest.raises(ConfigError, match="pbt") as caught:
        check_population(SEARCH.model_copy(update={"scheduler": "pbt"}), workers=2)
    assert any("training.workers=2" in problem for problem in caught.value.problems)
