"""The environment of ferflow's processes: no telemetry, quiet libraries."""

import os
from collections.abc import Mapping

HEARTBEAT_S = 30
"""How often a run says that it is alive; the automation of `ferflow up` waits for it."""
# Defaults only: variables that the user has set are kept.
QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "RAY_USAGE_STATS_ENABLED": "0",
    "WANDB_SILENT": "true",
}


def set_quiet_defaults() -> None:
    """Set the defaults; call it before importing prefect, ray, wandb or great_expectations."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
