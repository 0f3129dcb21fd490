import pytest

from fer_models.base_config import FrozenConfig
from fer_models.errors import ConfigError
from fer_models.quality.config import ScoringConfig
from fer_models.quality.score import scoring_key
from fer_models.ray_cluster import require_room
from fer_models.remote.config import PlacementConfig
from fer_models.remote.placement import num_threads, placement_demand, ray_options
from fer_models.storage.refs import SnapshotRef
from fer_models.training.checkpoint_dir import member_identity
from fer_models.training.config import MemberConfig
from tasks.cache.key import stage_key

GIB = 2**30
LAPTOP = {"CPU": 1.0, "memory": 4.0 * GIB}
GPU_BOX = {"CPU": 8.0, "GPU": 1.0, "memory": 64.0 * GIB}
FAST_DISK = {"CPU": 4.0, "memory": 16.0 * GIB, "fast_disk": 1.0}
NODES = [LAPTOP, GPU_BOX, FAST_DISK]


def gpus_of(placement: PlacementConfig, *nodes: dict[str, float], share: float = 1.0) -> float:
    return placement_demand("work", "x.placement", placement, nodes, share).gpus


def test_a_gpu_is_requested_if_a_node_with_the_other_resources_has_one() -> None:
    anywhere = PlacementConfig()
    assert gpus_of(anywhere, *NODES) == 1
    assert gpus_of(anywhere, *NODES, share=0.25) == 0.25
    assert gpus_of(anywhere, LAPTOP) == 0
    assert gpus_of(PlacementConfig(resources={"fast_disk": 1}), *NODES) == 0
    assert gpus_of(PlacementConfig(cpus=9), *NODES) == 0


def test_configured_gpus_are_requested_as_they_are() -> None:
    assert gpus_of(PlacementConfig(num_gpus=0), *NODES) == 0
    assert gpus_of(PlacementConfig(num_gpus=0.5), LAPTOP) == 0.5


@pytest.mark.parametrize(
    ("placement", "fits"),
    [
        (PlacementConfig(cpus=0.5), True),
        (PlacementConfig(cpus=8, num_gpus=1, memory_gib=64), True),
        (PlacementConfig(memory_gib=65), False),
        (PlacementConfig(resources={"fast_disk": 1}, cpus=4), True),
        (PlacementConfig(resources={"fast_disk": 1}, num_gpus=1), False),
        (PlacementConfig(resources={"slow_disk": 0.1}), False),
    ],
)
def test_all_resources_must_be_on_one_node(placement: PlacementConfig, fits: bool) -> None:
    demand = placement_demand("work", "x.placement", placement, NODES)
    if fits:
        require_room(demand, NODES)
    else:
        with pytest.raises(
            ConfigError, match=r"work requests .* the Ray nodes have .*x\.placement"
        ):
            require_room(demand, NODES)


def test_the_error_names_what_each_node_has_of_the_request() -> None:
    placement = PlacementConfig(memory_gib=65, resources={"fast_disk": 2})
    demand = placement_demand("work", "x.placement", placement, NODES)
    with pytest.raises(ConfigError) as caught:
        require_room(demand, NODES)
    assert "1 cores and 0 GPUs, 65 GiB, 2 fast_disk" in str(caught.value)
    assert "4 + 0, 16.0 GiB, 1 fast_disk" in str(caught.value)


def test_ray_gets_the_same_request() -> None:
    placement = PlacementConfig(cpus=0.5, memory_gib=2, resources={"fast_disk": 0.5})
    options = ray_options(placement_demand("work", "x", placement, [FAST_DISK]))
    assert options["num_cpus"] == 0.5
    assert options["memory"] == 2 * GIB
    assert options["resources"] == {"fast_disk": 0.5}
    assert options["max_retries"] == 0


def test_threads_are_whole_cores_and_at_least_one() -> None:
    assert [num_threads(PlacementConfig(cpus=cpus)) for cpus in (0.5, 1, 3.9)] == [1, 1, 3]


def test_the_placement_is_no_part_of_a_model_a_score_or_a_cache_key() -> None:
    elsewhere = {"placement": {"cpus": 3.0, "resources": {"fast_disk": 1.0}}}
    here, moved = MemberConfig(name="m"), MemberConfig.model_validate({"name": "m", **elsewhere})
    assert member_identity(here) == member_identity(moved)
    assert _key(here) == _key(moved)
    snapshot = SnapshotRef(id="s", url="file:///s")
    scorings = ScoringConfig(), ScoringConfig.model_validate(elsewhere)
    assert scoring_key(snapshot, scorings[0], 0) == scoring_key(snapshot, scorings[1], 0)
    assert _key(scorings[0]) == _key(scorings[1])


def _key(config: FrozenConfig) -> str:
    return stage_key("work", "fer_models.dataset.split", {"config": config})
