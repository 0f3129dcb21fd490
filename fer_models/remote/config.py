"""The resources that work reserves on a node of a Ray cluster."""

from typing import Annotated

from pydantic import Field

from fer_models.base_config import FrozenConfig

Amount = Annotated[float, Field(gt=0, le=1_000_000)]


class PlacementConfig(FrozenConfig):
    """Resources reserved on a node of the Ray cluster; no effect without a cluster.

    Example:
        PlacementConfig(num_gpus=0.5, cpus=4, memory_gib=8, resources={"fast_disk": 1})
    """

    cpus: float = Field(
        default=1.0,
        gt=0,
        le=1024,
        description="CPU cores; the work computes with as many threads, at least 1. 0.5 lets two "
        "members share a core.",
    )
    num_gpus: float | None = Field(
        default=None,
        ge=0,
        le=8,
        description="GPUs; 0.5 lets two members share one. By default one if a node that has the "
        "other resources has any, else none.",
    )
    memory_gib: float = Field(
        default=0.0, ge=0, le=65_536, description="Main memory, GiB; 0 reserves none."
    )
    resources: dict[str, Amount] = Field(
        default={},
        description="Amounts of custom resources, by the names given to `ray start --resources`.",
    )
    node_losses: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="How often the work is moved to another node after its node was lost; a "
        "training continues from the last epoch.",
    )
