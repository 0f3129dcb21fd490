"""What Ray Train's controller asks when a worker failed; it loads no more than it needs."""

from typing import Any

import ray
import ray.train


class StopOnUserError(ray.train.UserCallback):
    """Lets Ray Train replace workers that were lost, and not those that gave up with a reason."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Runs in Ray Train's controller, before it decides whether to try again."""
        del run_context, worker_exceptions
        failure = ray.get(self._channel.failure.remote())
        if failure is not None:
            raise failure
