"""The environment that ferflow's processes run in: no telemetry, quiet libraries."""

import os
from collections.abc import Mapping

# Only defaults: what the user has set stays.
QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "RAY_USAGE_STATS_ENABLED": "0",
    "WANDB_SILENT": "true",
}


def set_quiet_defaults() -> None:
    """Set the defaults; call it before prefect, ray, wandb or great_expectations is imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
