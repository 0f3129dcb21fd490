"""From the resources that work asks for to a request that Ray can place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fer_models.ray_cluster import Demand, num_fitting
from fer_models.remote.config import PlacementConfig

_GIB = 2**30


def placement_demand(
    who: str,
    setting: str,
    placement: PlacementConfig,
    nodes: Sequence[dict[str, float]],
    gpu_share: float = 1.0,
) -> Demand:
    """The request of one call on one node.

    Args:
        who: the owner of the call, such as `training face_cnn`.
        setting: where its placement is configured, such as `members.face_cnn.placement`.
        placement: the resources; if it leaves the GPUs open, `gpu_share` of a GPU is requested if
            a node that has the other resources has a GPU.
        nodes: total resources of the cluster's nodes.
        gpu_share: GPUs of a call for which none are configured.
    """
    demand = Demand(
        who=who,
        remedy=f"lower {setting}.cpus, .num_gpus, .memory_gib or .resources, add nodes to the "
        "cluster, or set FERFLOW_LOCAL=1 to run on this machine",
        pieces=1,
        cpus=placement.cpus,
        gpus=placement.num_gpus or 0.0,
        memory_gib=placement.memory_gib,
        resources=placement.resources,
    )
    if placement.num_gpus is not None:
        return demand
    with_gpu = replace(demand, gpus=gpu_share)
    return with_gpu if any(num_fitting(with_gpu, node) for node in nodes) else demand


def ray_options(demand: Demand) -> dict[str, Any]:
    """The options of a Ray task with these resources; Ray does not retry it, the caller does."""
    return {
        "num_cpus": demand.cpus,
        "num_gpus": demand.gpus,
        "memory": int(demand.memory_gib * _GIB) or None,
        "resources": dict(demand.resources),
        "max_retries": 0,
        "name": demand.who,
    }


def num_threads(placement: PlacementConfig) -> int:
    """Threads to compute with: one per reserved core, at least one."""
    return max(1, int(placement.cpus))
