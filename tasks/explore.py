"""Explore a dataset: figures, plots and faces, before and after cleaning."""

from typing import Any

from fer_models.exploration.explore import SUMMARY_FILE, explore_snapshot
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ExplorationRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.markdown import table
from tasks.artifacts.publish import embedded_images, publish_link, publish_markdown
from tasks.completion import Parameters
from tasks.stage import stage

_PUBLISHED_PLOTS = ("classes.png", "mean_faces.png", "ferplus.png")


def _publish(exploration: ExplorationRef, parameters: Parameters) -> None:
    store = ArtifactStore(parameters["store"])
    publish_link("exploration", exploration.report_url, "Figures, plots and faces of the dataset")
    plots = store.info(exploration)["plots"]
    images = embedded_images(store, exploration, [p for p in _PUBLISHED_PLOTS if p in plots])
    text = "\n\n".join([figures_text(store, exploration), *images])
    publish_markdown("exploration-figures", text, "The dataset in figures")


@stage("fer_models.exploration.explore", publish=_publish)
def explore(snapshot: SnapshotRef, store: StoreConfig) -> ExplorationRef:
    """Write an HTML page with figures, plots and faces of the snapshot, and each plot as PNG."""
    return explore_snapshot(ArtifactStore(store), snapshot)


def class_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per class: images before and after cleaning, and per split after cleaning."""
    return [
        {
            "class": row["class"],
            "before": row["before"],
            "after": row["after"],
            **{split: counts["after"] for split, counts in row["splits"].items()},
        }
        for row in summary["classes"]
    ]


def main_figures(summary: dict[str, Any]) -> dict[str, str]:
    """The key figures of a dataset, as text by name."""
    images, pixels = summary["images"], summary["pixels"]["all"]
    copies, votes = summary["copies"], summary["votes"]
    figures = {
        "images": f"{images['num_images']:,} ({images['kept']:,} kept)",
        "mean grey value": f"{pixels['mean']:.2f}",
        "mean of the images' std": f"{pixels['std']:.2f}",
        "exact copies": f"{copies['before']['copies']:,} ({copies['after']['copies']:,} kept)",
        "leaks into training": f"{copies['before']['leaks']:,} ({copies['after']['leaks']:,} kept)",
        "changed labels": f"{summary['labels']['relabelled']:,}",
    }
    if votes:
        agreement = f"{100 * votes['agreement']:.1f} % of {votes['n']:,} images"
        figures["agreement with FER+ votes"] = agreement
    return figures


def figures_text(store: ArtifactStore, exploration: ExplorationRef) -> str:
    """The key figures and the classes as Markdown tables."""
    summary = store.read_json(exploration, SUMMARY_FILE)
    rows = class_rows(summary)
    figures = [["", "figure"], *map(list, main_figures(summary).items())]
    classes = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return f"{table(figures)}\n\n{table(classes)}"
