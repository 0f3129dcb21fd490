"""A deployed flow's run: its configuration, what Prefect shows of it, and how it ends."""

import datetime as dt
import platform
from collections.abc import Iterable
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed

from fer_models.history.record import new_run_id
from fer_models.lineage import machine
from fer_models.processes import PROCESS_LABEL, process_tag
from fer_models.reporting.collect import RunRefs
from fer_models.reporting.execution import Execution
from fer_models.storage.refs import PromotionRef
from fer_models.tracking.mode import destination
from flows.entry.names import data_label, data_of, is_generated, run_title, tags_of
from flows.entry.states import (
    CHAMPION_ALREADY_STATE,
    NOT_PROMOTED_STATE,
    NOTHING_TO_DO_STATE,
    PROMOTED_STATE,
)
from flows.pipeline_config import PipelineConfig
from flows.request import RunRequest
from flows.results import Outcome
from tasks.execution import RunningExecution
from tasks.summary import publish_configuration, publish_summary, publish_tracking_problem

ATTEMPT_LABEL = "ferflow.attempt"
"""Label of a flow run: id of the state in which its process wrote `PROCESS_LABEL`.

A retried run keeps its labels. A pending state after this one shows that they are of an earlier
attempt.
"""
_PIPELINE = "run-pipeline"


def current_run() -> FlowRun | None:
    """The flow run of this code; None without Prefect."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


def refs_of(outcome: Outcome) -> RunRefs:
    """The artifacts of an outcome that its report and its summary are about."""
    trained, prepared = outcome.trained, outcome.trained.prepared
    return RunRefs(
        prepared.snapshot,
        prepared.validation,
        trained.tuning,
        trained.evaluations,
        trained.ensemble,
        outcome.promotion,
    )


class StartedRun:
    """The run of a deployed flow, from its resolved configuration to its final state.

    Args:
        flow_name: name of the flow.
        request: the parameters that the run was started with.
        config: what they resolve to.
        force: whether the run was forced.
    """

    def __init__(
        self, flow_name: str, request: RunRequest, config: PipelineConfig, force: bool
    ) -> None:
        """Store the facts; nothing is sent to Prefect yet."""
        self.flow_name = flow_name
        self.request = request
        self.config = config
        self.force = force
        self.started = dt.datetime.now(tz=dt.UTC)
        self.id = new_run_id(self.started.timestamp())
        """Id of the record that the run leaves."""
        self.execution = RunningExecution(self._begun())
        """Collects the steps of the run."""
        self.name = self.title("")
        self._tags: list[str] = []
        self._final: State[Any] | None = None

    def _begun(self) -> Execution:
        started_s = self.started.timestamp()
        return Execution(
            id=self.id,
            flow=self.flow_name,
            command=self.request.command() if self.flow_name == _PIPELINE else "",
            started_s=started_s,
            now_s=started_s,
            host=platform.node(),
            machine=machine(),
        )

    @property
    def message(self) -> str:
        """Why the run ends as it does; empty while that is open."""
        return (self._final.message or "") if self._final else ""

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to do."""
        return self._final is not None and self._final.name == NOTHING_TO_DO_STATE

    def log(self, text: str) -> None:
        """Write a warning into the log of the run."""
        get_run_logger().warning(text)

    def announce(self) -> None:
        """Name and tag the run, and note the process that runs it."""
        run = current_run()
        if run is None:
            return
        own = tags_of(self.flow_name, self.config, run.auto_scheduled)
        self._tags = list(dict.fromkeys([*run.tags, *own]))
        self.name = self.title(run.name)
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, name=self.name, tags=self._tags)
            attempt = str(run.state.id) if run.state else ""
            client.update_flow_run_labels(
                run.id, {PROCESS_LABEL: process_tag(), ATTEMPT_LABEL: attempt}
            )
        publish_configuration(self.config)
        publish_tracking_problem(destination(self.config.tracking).problem)

    def reconfigure(self, config: PipelineConfig) -> None:
        """Go on with another configuration, which the summary and the record of the run then have.

        The artifact `configuration` gets a new version.
        """
        if config != self.config:
            self.config = config
            publish_configuration(config)

    def title(self, current: str) -> str:
        """The name of the run: the one a person gave, else recipe, data and date."""
        if self.request.run_name:
            return self.request.run_name
        if current and not is_generated(current):
            return current
        data = data_label(data_of(self.flow_name, self.config))
        return run_title(self.flow_name, self.config.name, data, self.started.astimezone())

    def tag(self, tags: Iterable[str]) -> None:
        """Add tags to the run."""
        run = current_run()
        if run is None:
            return
        self._tags = list(dict.fromkeys([*self._tags, *tags]))
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags=self._tags)

    def nothing_to_do(self, why: str) -> None:
        """End the run in a state of its own: there was no reason to train."""
        self._final = Completed(name=NOTHING_TO_DO_STATE, message=why)

    def judged(self, outcome: Outcome) -> Outcome:
        """Tag the run by the verdict, and end it in the verdict's state."""
        promotion = outcome.promotion
        verdict = _verdict_state(promotion)
        self.tag([verdict.lower().replace(" ", "-")])
        self._summarise(outcome)
        self._final = Completed(name=verdict, message=promotion.reason)
        return outcome

    def _summarise(self, outcome: Outcome) -> None:
        """Publish one artifact that says it all, also when every task came from the cache."""
        if current_run() is None:
            return
        exploration = outcome.trained.prepared.exploration
        publish_summary(
            self.config, refs_of(outcome), exploration, outcome.run, self.config.store, self.id
        )

    def final_state(self, result: Any) -> State[Any] | None:
        """The state in which the run ends, with its result; None for the usual one."""
        if self._final is None:
            return None
        return Completed(name=self._final.name, message=self._final.message, data=result)


def _verdict_state(promotion: PromotionRef) -> str:
    if not promotion.judged:
        return CHAMPION_ALREADY_STATE
    return PROMOTED_STATE if promotion.promoted else NOT_PROMOTED_STATE
