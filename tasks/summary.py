"""The summary of a run: one page in the UI that says it all, made from references only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from prefect.logging import get_run_logger

from fer_models.history.runs import latest_with_candidate
from fer_models.reporting.collect import RunConfig, RunRefs
from fer_models.storage.config import StoreConfig
from fer_models.storage.latest import recall_if_any
from fer_models.storage.refs import (
    ArtifactRef,
    EvaluationRef,
    ExplorationRef,
    ModelRef,
    PromotionRef,
    ReviewRef,
    RunRef,
    SnapshotRef,
    TuningRef,
)
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.digits import percent
from tasks.artifacts.links import comparison_link, markdown_link
from tasks.artifacts.markdown import cell, table
from tasks.artifacts.publish import publish_markdown
from tasks.completion import logged
from tasks.review import REVIEW_STEP

_SPLITS = ("validation", "test")


def publish_summary(
    config: RunConfig,
    refs: RunRefs,
    exploration: ExplorationRef,
    run: RunRef,
    store: StoreConfig,
    run_id: str = "",
) -> None:
    """Publish the artifact `summary` of a flow run; a no-op outside one.

    Call it in a flow. It reads only the store, so it is complete when every task came from the
    cache. A failure is a warning in the log.

    Args:
        config: the resolved configuration of the run.
        refs: the dataset, the gate's result, the tuning, the models and the promotion.
        exploration: the page about the dataset.
        run: the report.
        store: holds the artifacts.
        run_id: id of the record that the run will leave; empty without one.

    Example:
        trained, prepared = outcome.trained, outcome.trained.prepared
        refs = RunRefs(prepared.snapshot, prepared.validation, trained.tuning,
                       trained.evaluations, trained.ensemble, outcome.promotion)
        publish_summary(config, refs, prepared.exploration, outcome.run, config.store)
    """
    with logged("no summary of the run"):
        text = summary_text(config, refs, exploration, run, ArtifactStore(store), run_id)
        publish_markdown("summary", text, f"Summary of {config.name}")


def publish_configuration(config: RunConfig) -> None:
    """Publish the artifact `configuration`: all settings, ready for `ferflow run --recipe FILE`.

    A no-op outside a flow run. A failure is a warning in the log.
    """
    with logged("no configuration of the run"):
        publish_markdown("configuration", _configuration(config), f"Configuration of {config.name}")


def publish_tracking_problem(problem: str) -> None:
    """Publish the artifact `tracking` and a warning, if the run can't be tracked as asked.

    Args:
        problem: why it can't be, and what to do; "" publishes nothing.
    """
    if not problem:
        return
    get_run_logger().warning("tracking: %s", problem)
    with logged("no note on tracking"):
        publish_markdown("tracking", f"**Tracking**: {problem}", "Not tracked as asked")


def summary_text(
    config: RunConfig,
    refs: RunRefs,
    exploration: ExplorationRef,
    run: RunRef,
    store: ArtifactStore,
    run_id: str = "",
) -> str:
    """The summary as Markdown: verdict, links, leaderboard, data, configuration."""
    confidence = f"{100 * config.evaluation.confidence:g} % interval"
    sections = {
        "Pages": "\n".join(_links(store, refs, exploration, run, run_id)),
        f"Models, with {confidence}": _leaderboard(
            store, refs.evaluations, refs.ensemble.candidate
        ),
        "Data": _data(store, refs.snapshot),
        "Configuration": "\n".join(
            ["Run it again with `ferflow run --recipe FILE`.", "", _configuration(config)]
        ),
    }
    parts = [_verdict(refs.ensemble.candidate, refs.promotion)]
    parts += [f"## {title}\n\n{content}" for title, content in sections.items()]
    return "\n\n".join(parts)


def _verdict(candidate: ModelRef, promotion: PromotionRef) -> str:
    text = f"# {cell(candidate.name)}: {promotion.verdict}\n\n{cell(promotion.reason)}"
    if promotion.final_fit_id is None:
        return text
    final = cell(promotion.final_fit_id)
    return f"{text}\n\nThe champion is its final fit {final}, trained on validation images, too."


def _leaderboard(
    store: ArtifactStore, evaluations: Sequence[EvaluationRef], candidate: ModelRef
) -> str:
    """A row per model; the candidate, selected on validation, has a star."""
    rows = [["model", *(f"{split} accuracy" for split in _SPLITS), "parameters"]]
    for evaluation in evaluations:
        metrics = store.read_json(evaluation, "metrics.json")
        star = " ★" if metrics["model_id"] == candidate.id else ""
        splits = [_interval(metrics["splits"].get(split)) for split in _SPLITS]
        rows.append([metrics["model_name"] + star, *splits, f"{metrics['parameters']:,}"])
    return f"{table(rows)}\n\n★ candidate, selected on validation; test is only reported."


def _interval(metrics: Mapping[str, Any] | None) -> str:
    if metrics is None or not metrics["n"]:
        return "-"
    low, high = (100 * end for end in metrics["intervals"]["accuracy"])
    return f"{percent(metrics['accuracy'])} [{low:.1f} \u2013 {high:.1f}] n={metrics['n']:,}"


def _data(store: ArtifactStore, snapshot: SnapshotRef) -> str:
    info = store.info(snapshot)
    counts = {
        "images": info["num_images"],
        "kept": info["kept"],
        **{f"split {name}": count for name, count in info["split_counts"].items()},
        **{f"quarantined: {name}": count for name, count in info["reasons"].items()},
    }
    return table([["", "images"], *([name, f"{count:,}"] for name, count in counts.items())])


def _links(
    store: ArtifactStore, refs: RunRefs, exploration: ExplorationRef, run: RunRef, run_id: str
) -> Iterator[str]:
    links = [
        markdown_link("Report", run.report_url),
        *_comparison_links(store, run_id),
        markdown_link("Exploration of the data", exploration.report_url),
        markdown_link("Data gate", f"{refs.validation.url}/report.html"),
        *_review_links(store, refs.snapshot),
        *_tuning_links(store, refs.tuning),
        markdown_link("Candidate", refs.ensemble.candidate.url),
        markdown_link("Promotion", f"{refs.promotion.url}/decision.json"),
    ]
    champion = refs.promotion.champion_now
    if champion is not None:
        links.append(markdown_link("Champion", store.artifact_url(ModelRef, champion)))
    yield from (f"- {link}" for link in links)


def _comparison_links(store: ArtifactStore, run_id: str) -> Iterator[str]:
    """The comparison with the newest earlier run that has a model."""
    earlier = latest_with_candidate(store) if run_id else None
    if earlier is not None:
        yield comparison_link(f"Compare with the run before, {earlier.name}", earlier.id, run_id)


def _review_links(store: ArtifactStore, snapshot: SnapshotRef) -> Iterator[str]:
    """The latest review page, if it shows an ancestor of the snapshot."""
    review = recall_if_any(store, REVIEW_STEP, ReviewRef)
    if review is not None and store.info(review)["snapshot"] in _ancestors(store, snapshot):
        yield markdown_link("Review by a person", review.page_url)


def _ancestors(store: ArtifactStore, snapshot: ArtifactRef) -> Iterator[str]:
    parent = store.info(snapshot).get("parent")
    while parent:
        yield parent
        parent = store.info(store.ref(SnapshotRef, parent)).get("parent")


def _tuning_links(store: ArtifactStore, tuning: TuningRef | None) -> Iterator[str]:
    if tuning is not None:
        for file in store.info(tuning)["plots"]:
            yield markdown_link(f"Tuning: {file}", f"{tuning.url}/{file}")


def _configuration(config: RunConfig) -> str:
    settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return f"```yaml\n{settings}```"
