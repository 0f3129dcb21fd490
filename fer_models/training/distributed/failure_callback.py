"""Failure callback for Ray Train's controller; the module imports as little as possible."""

from typing import Any

import ray
import ray.train


class StopOnUserError(ray.train.UserCallback):
    """Stops the retries when a worker failed with a FerError; lost workers are still replaced."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Runs in Ray Train's controller, before it decides whether to retry."""
        del run_context, worker_exceptions
        failure = ray.get(self._channel.failure.remote())
        if failure is not None:
            raise failure
