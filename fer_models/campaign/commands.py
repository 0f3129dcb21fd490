"""The commands of a campaign; each takes the parsed arguments and returns an exit status."""

import argparse
import time

from fer_models.campaign.plan import Task, read_plan, tasks_of
from fer_models.errors import ConfigError
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

_STARTED_S = time.time()


def pack(options: argparse.Namespace) -> int:
    """Write a snapshot to one file."""
    from fer_models.campaign.pack import pack_snapshot

    store = ArtifactStore(StoreConfig(url=options.store))
    snapshot = _snapshot(store, options.snapshot)
    size = pack_snapshot(store, snapshot, options.out)
    _say(f"{options.out}: snapshot {snapshot.id[:12]}, {size / 2**20:.1f} MiB")
    return 0


def run(options: argparse.Namespace) -> int:
    """Train what is missing; 1 if a training failed."""
    from fer_models.campaign.merge import read_results_file
    from fer_models.campaign.run import CampaignRun, RunOptions

    if options.jobs < 1:
        raise ConfigError(f"--jobs: expected at least 1, got {options.jobs}")
    done = frozenset(result.key for result in read_results_file(options.done))
    settings = RunOptions(
        options.plan,
        options.faces,
        options.work,
        options.out,
        options.budget,
        options.jobs,
        done,
        options.again,
    )
    outcome = CampaignRun(settings, _say, _STARTED_S).run()
    _say(
        f"{len(outcome.finished)} finished, {len(outcome.failed)} failed, {len(outcome.left)} left"
    )
    if outcome.without_weights:
        _say(f"weights that had no room in {options.out}: {'; '.join(outcome.without_weights)}")
    return 1 if outcome.failed else 0


def train(options: argparse.Namespace) -> int:
    """Train one network."""
    from fer_models.campaign.run import OUT_OF_TIME
    from fer_models.campaign.training import OutOfTimeError, Workplace, train_task

    plan, workplace = read_plan(options.plan), Workplace(options.work)
    task = Task(plan.experiment(options.experiment), options.seed, options.final)
    snapshot = workplace.store.ref(SnapshotRef, options.snapshot)
    try:
        train_task(workplace, plan, task, snapshot, options.deadline)
    except OutOfTimeError as error:
        _say(str(error))
        return OUT_OF_TIME
    return 0


def merge(options: argparse.Namespace) -> int:
    """Merge volumes into results, store and page."""
    from fer_models.campaign.merge import merge_volumes, read_results_file, write_results_file
    from fer_models.campaign.page.update import check_page, update_page
    from fer_models.campaign.result import ResultsFolder

    plan, folder = read_plan(options.plan), ResultsFolder(options.merged)
    check_page(options.page, plan.name)  # before anything is written
    store = ArtifactStore(StoreConfig(url=options.store)) if options.store else None
    merged = merge_volumes(options.folders, folder, store)
    results = {one.key: one for one in [*read_results_file(options.done), *folder.read_all()]}
    write_results_file(options.done, list(results.values()))
    update_page(options.page, plan, list(results.values()), folder)
    _say(f"{len(merged.added)} results added, {len(merged.known)} known before")
    if store is not None:
        _say(f"{len(merged.models)} models in {store.url}")
    if merged.incomplete:
        _say(f"models without all of their weights: {', '.join(merged.incomplete)}")
    return 0


def list_tasks(options: argparse.Namespace) -> int:
    """Print the trainings of a plan in their order, and which are done."""
    from fer_models.campaign.merge import read_results_file

    plan, results = read_plan(options.plan), read_results_file(options.done)
    for task in tasks_of(plan):
        own = [one for one in results if one.key == task.key(plan, one.snapshot_id)]
        _say(f"{'done' if own else 'to do':6} {task.name}")
    return 0


def _snapshot(store: ArtifactStore, beginning: str | None) -> SnapshotRef:
    """The split snapshot with this id, or the only one."""
    refs = [store.ref(SnapshotRef, one) for one in store.list_ids(SnapshotRef)]
    found = [
        ref
        for ref in refs
        if store.info(ref).get("step") == "split" and ref.id.startswith(beginning or "")
    ]
    if len(found) != 1:
        ids = ", ".join(ref.id[:12] for ref in found) or "none"
        raise ConfigError(
            f"{store.url}: expected one split snapshot"
            f"{f' whose id starts with {beginning}' if beginning else ''}, got {ids}; name one "
            "with --snapshot"
        )
    return found[0]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's output
