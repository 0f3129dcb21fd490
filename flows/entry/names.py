"""Names and tags by which people tell runs apart."""

import datetime as dt
import re
from pathlib import PurePosixPath

from fer_models.ingest.config import SYNTHETIC
from flows.pipeline_config import PipelineConfig

PREDICT_BATCH = "predict-batch"
_MAX_DATA = 40
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma "
    "tau upsilon phi chi psi omega"
)
_ADJECTIVES = (
    "Awesome Fantastic Generic Gorgeous Handcrafted Handmade Incredible Intelligent Ergonomic "
    "Licensed Practical Rustic Sleek Small Tasty Unbranded Refined"
)
# `quick-otter` by Prefect's client, `xi5-mordan-sector` or `tau-miri` by its UI, `Sleek-Otter` by
# the second version of its UI.
_GENERATED = re.compile(
    rf"[a-z]+-[a-z]+|(?:{'|'.join(_GREEK.split())})\d*-[a-z]+(?:-[a-z]+)?"
    rf"|(?:{'|'.join(_ADJECTIVES.split())})-[A-Z][A-Za-z ]{{1,5}}"
)


def data_label(sources: tuple[str, ...]) -> str:
    """The sources in a few words: file names, joined by `+`.

    Example:
        data_label(("/data/fer2013.csv", "/data/fer2013new.csv"))  # "fer2013.csv+fer2013new.csv"
    """
    names = [
        source if source == SYNTHETIC else PurePosixPath(source.replace("\\", "/")).name or source
        for source in sources
    ]
    label = "+".join(names)
    return label if len(label) <= _MAX_DATA else f"{label[: _MAX_DATA - 1]}…"


def run_title(flow_name: str, recipe: str, data: str, now: dt.datetime) -> str:
    """The name of a run that a person did not name: recipe, data and short date.

    Example:
        run_title("retrain", "fer2013", "fer2013.csv", now)  # "retrain fer2013 · ..."
    """
    kind = "" if flow_name == "run-pipeline" else f"{flow_name} "
    return f"{kind}{recipe} · {data} · {now:%d %b %H:%M}".lstrip()


def is_generated(name: str) -> bool:
    """Whether Prefect made the name up: two words, or a star with a Greek letter."""
    return _GENERATED.fullmatch(name) is not None


def data_of(flow_name: str, config: PipelineConfig) -> tuple[str, ...]:
    """What a run works on: its pictures if it predicts, else its sources of labelled images."""
    if flow_name == PREDICT_BATCH:
        return config.prediction.pictures
    return config.data.sources


def tags_of(flow_name: str, config: PipelineConfig, scheduled: bool) -> list[str]:
    """The tags of a run: recipe, data, and whether it was started by a schedule or by a person."""
    trigger = "scheduled" if scheduled else "manual"
    kind = "retrain" if flow_name == "retrain" else trigger
    data = data_label(data_of(flow_name, config))
    return list(dict.fromkeys([config.name, data, kind, trigger]))


def subflow_name() -> str:
    """The name of a called flow's run: the data it works on; Prefect shows the flow beside it."""
    from prefect.runtime import flow_run

    config: PipelineConfig = flow_run.parameters["config"]
    return data_label(config.data.sources)
