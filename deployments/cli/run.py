"""`ferflow run`: the whole pipeline, in this process."""

import atexit
import importlib
import os
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deployments.cli.latest import local_report
from deployments.cli.options import config_options, request_from, weights_option
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.review.labels import apply_decisions, labels_option
from deployments.cli.runs.next_command import next_command
from deployments.environment import set_quiet_defaults
from deployments.interrupted import ending_as_cancelled
from deployments.server.home import API_VARIABLE, configured_api, use_project_home
from deployments.server.running import running_facts
from fer_models.classes.class_list import ClassList
from fer_models.cluster_address import LOCAL_VARIABLE, check_cluster
from fer_models.progress import Progress, listening, report
from fer_models.storage.store import ArtifactStore
from flows.checks import check_config
from flows.pipeline_config import PipelineConfig
from flows.request import RunRequest
from tasks.artifacts.links import PAGES_VARIABLE

if TYPE_CHECKING:
    from deployments.server.process import ServerProcess
    from fer_models.storage.refs import EvaluationRef
    from flows.results import Outcome


@click.command(name="run")
@config_options
@weights_option
@click.option("--name", "run_name", help="Name of the run.  [default: recipe, data and date]")
@labels_option
@click.option("--local", is_flag=True, help="Train in this process, even if RAY_ADDRESS is set.")
@click.option("--no-cache", is_flag=True, help="Run every task, ignoring cached results.")
@reporting
def command(
    local: bool, no_cache: bool, verbose: bool, decisions_file: Path | None, **options: Any
) -> Produced:
    """Run the whole pipeline, from the images to the champion and the report.

    Finished tasks with the same input come from the cache, so an interrupted run resumes where it
    stopped. Exit code 3 if a gate (data, promotion) rejects the run.

    \b
    ferflow run                                         synthetic faces
    ferflow run --data fer2013.csv --recipe fer2013     FER2013
    ferflow run --store s3://bucket/prefix              artifacts in object storage
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with \b
    start = time.monotonic()
    if local:
        os.environ[LOCAL_VARIABLE] = "1"
    request = request_from(options)
    config = request.resolve("--set")
    store = ArtifactStore(config.store)
    set_quiet_defaults()
    home = use_project_home(store)
    api = _reachable_api(home)
    check_config(config, all_rows=True)
    _check_inputs(config, store, api)
    apply_decisions(store, decisions_file, config.data)
    _prepare_prefect(verbose, no_cache)
    tally = _Tally()
    with progress_display():
        report("start", 0, note="Prefect")
        server = _use_server(home, api, store, verbose)
        with listening(tally), ending_as_cancelled(server):
            outcome = _run(request)
    seconds = time.monotonic() - start
    produced = _summary(store, outcome) | tally.counts() | {"seconds": round(seconds, 1)}
    produced["report_file"] = str(local_report(store, outcome.run))
    exploration = outcome.trained.prepared.exploration
    produced["exploration_file"] = str(local_report(store, exploration))
    _show(produced, config, next_command(request, options["store_url"]))
    return produced


class _Tally:
    """Collects the names of executed and of cached tasks."""

    def __init__(self) -> None:
        self._executed: list[str] = []
        self._cached: list[str] = []

    def __call__(self, progress: Progress) -> None:
        from tasks.stage import DONE, FROM_CACHE

        if progress.note == FROM_CACHE:
            self._cached.append(progress.stage)
        elif progress.note == DONE:
            self._executed.append(progress.stage)

    def counts(self) -> dict[str, list[str]]:
        return {"executed_tasks": self._executed, "cached_tasks": self._cached}


def _reachable_api(home: Path) -> str | None:
    """The Prefect server to use: a configured one, or that of a running `ferflow up`."""
    from deployments.server.process import answers, require_answer

    configured = configured_api()
    if configured:
        require_answer(configured)
        return configured
    facts = running_facts(home)
    if facts is None or not answers(str(facts["api"])):
        return None
    if facts.get("pages"):
        os.environ.setdefault(PAGES_VARIABLE, str(facts["pages"]))
    return str(facts["api"])


def _check_inputs(config: PipelineConfig, store: ArtifactStore, api: str | None) -> None:
    """Report further invalid input before anything is started."""
    if config.cleaning.pause_for_review and api is None:
        from tasks.review import check_reviewable

        check_reviewable()
    if any(member.network.pretrained for member in config.members):
        from fer_models.models.pretrained.start import check_pretrained

        check_pretrained([member.network for member in config.members])
    check_cluster()
    store.check_writable()


def _prepare_prefect(verbose: bool, no_cache: bool) -> None:
    if not verbose:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if no_cache:
        os.environ["PREFECT_TASKS_REFRESH_CACHE"] = "true"


def _use_server(
    home: Path, api: str | None, store: ArtifactStore, verbose: bool
) -> "ServerProcess | None":
    """Use the reachable server, or start and return one that ends with this command.

    It starts while this process imports Prefect's client and preloads what a first run needs.
    """
    if api is not None:
        os.environ[API_VARIABLE] = api
        _preload(store)
        return None
    server = _started_server(home, verbose)
    _preload(store)
    server.wait()
    return server


def _started_server(home: Path, verbose: bool) -> "ServerProcess":
    from deployments.server.process import start_temporary_server
    from tasks.server import TEMPORARY_VARIABLE

    server = start_temporary_server(home, verbose)
    # Registered before Prefect is imported, so it runs after Prefect has sent its last logs.
    atexit.register(server.stop)
    os.environ[API_VARIABLE] = server.api_url
    os.environ["PREFECT_API_AUTH_STRING"] = server.auth
    os.environ[TEMPORARY_VARIABLE] = "1"
    return server


def _preload(store: ArtifactStore) -> None:
    """Import the flow, and in the background the heavy libraries that a first run needs."""
    from deployments.preload import preload_modules
    from fer_models.storage.refs import RunRef

    importlib.import_module("flows.run_pipeline")
    # In a store with runs, this one may come from the cache and need no heavy library.
    if not store.list_ids(RunRef):
        preload_modules()


def _run(request: RunRequest) -> "Outcome":
    from deployments.crashed import mark_crashed_runs
    from flows.run_pipeline import run_pipeline

    mark_crashed_runs()
    report("start", 1, 1, note="Prefect is up")
    with _without_heartbeats():
        outcome: Outcome = run_pipeline(**request.parameters())
    return outcome


def _without_heartbeats() -> AbstractContextManager[object]:
    """Disable heartbeats on a temporary server: nothing uses them, and each flow waits a second."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from tasks.server import is_server_temporary

    if not is_server_temporary():
        return nullcontext()
    return temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})


def _summary(store: ArtifactStore, outcome: "Outcome") -> Produced:
    trained, promotion = outcome.trained, outcome.promotion
    final = (outcome.final_evaluation,) if outcome.final_evaluation else ()
    return {
        "snapshot": trained.prepared.snapshot.id,
        "classes": ClassList.from_info(store.info(trained.prepared.snapshot)).names,
        "exploration": trained.prepared.exploration.report_url,
        "models": [_model_facts(store, e) for e in (*trained.evaluations, *final)],
        "candidate": promotion.candidate_id,
        "champion": promotion.champion_now,
        "final_fit": promotion.final_fit_id,
        "promoted": promotion.promoted,
        "verdict": promotion.verdict,
        "reason": promotion.reason,
        "run": outcome.run.id,
        "report": outcome.run.report_url,
        "store": store.url,
        "exit_code": 0 if promotion.promoted else 3,
    }


def _model_facts(store: ArtifactStore, evaluation: "EvaluationRef") -> Produced:
    """A model's id, size and accuracy by split, for the JSON output."""
    metrics = store.read_json(evaluation, "metrics.json")
    keys = ("n", "accuracy", "macro_f1", "log_loss")
    return {
        "id": metrics["model_id"],
        "name": metrics["model_name"],
        "parameters": metrics["parameters"],
        "splits": {
            split: {
                **{key: values[key] for key in keys},
                "accuracy_low": values["intervals"]["accuracy"][0],
                "accuracy_high": values["intervals"]["accuracy"][1],
            }
            for split, values in metrics["splits"].items()
        },
    }


def _show(produced: Produced, config: PipelineConfig, proposed: str) -> None:
    rows = []
    for model in produced["models"]:
        mark = " ★" if model["id"] == produced["candidate"] else ""
        splits = model["splits"]
        rows.append(
            [
                model["name"] + mark,
                f"{model['parameters']:,}",
                _interval(splits.get("validation")),
                _interval(splits.get("test")),
            ]
        )
    confidence = 100 * config.evaluation.confidence
    print_table(
        f"Accuracy in percent with {confidence:g} % interval (★ candidate, selected on validation)",
        ["model", "parameters", "validation", "test"],
        rows,
    )
    done, cached = len(produced["executed_tasks"]), len(produced["cached_tasks"])
    print_facts(
        {
            "candidate": f"{produced['candidate']}: {produced['verdict']}",
            "reason": produced["reason"],
            "champion": str(produced["champion"]),
            "report": produced["report_file"],
            "data": produced["exploration_file"],
            "tasks": f"{done} executed, {cached} from the cache, {produced['seconds']} s",
            "next": proposed,
        }
    )


def _interval(split: dict[str, Any] | None) -> str:
    if split is None:
        return "-"
    low, high = 100 * split["accuracy_low"], 100 * split["accuracy_high"]
    return f"{100 * split['accuracy']:.1f} [{low:.1f}, {high:.1f}] n={split['n']}"
