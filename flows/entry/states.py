"""The names of the states that runs of deployed flows end in or wait in."""

PROMOTED_STATE = "Promoted"
NOT_PROMOTED_STATE = "Not promoted"
CHAMPION_ALREADY_STATE = "Champion already"
NOTHING_TO_DO_STATE = "Nothing to do"
SKIPPED_STATE = "Skipped"
WAITING_STATE = "Waiting for another training"

SHOWN_WITH = {
    PROMOTED_STATE: "Completed",
    NOT_PROMOTED_STATE: "Completed",
    CHAMPION_ALREADY_STATE: "Completed",
    NOTHING_TO_DO_STATE: "Completed",
    SKIPPED_STATE: "Completed",
    WAITING_STATE: "Running",
}
"""Prefect's own state of the same type, with which lists of runs show each."""
