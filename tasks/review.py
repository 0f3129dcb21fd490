"""Review by a person: the page, a pause of the flow run until the answer, and the decisions."""

import textwrap
from pathlib import Path
from typing import Annotated

import pandas as pd
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import Field

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, FerError, GateError
from fer_models.review.config import DEFAULT_LIMIT
from fer_models.review.decisions import (
    current_decisions,
    decisions_csv,
    decode_decisions,
    match_decisions,
    parse_decisions,
    publish_decisions,
    read_decisions,
)
from fer_models.review.page import store_review_page
from fer_models.storage.config import StoreConfig
from fer_models.storage.latest import remember
from fer_models.storage.refs import DecisionsRef, ReviewRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.user_input import user_path
from tasks.artifacts.links import is_web_address, page_link
from tasks.artifacts.publish import publish_link, publish_table
from tasks.completion import Parameters
from tasks.server import is_server_temporary
from tasks.stage import stage

_WRAPPER = textwrap.TextWrapper(
    width=52, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)
REVIEW_STEP = "review"
"""Name of the latest review page in the store."""
_PASTED = "the pasted decisions"
# The form shows each line as a separate paragraph.
_INSTRUCTIONS = """\
Some images need a decision by a person. Open the review page in a browser:

{page}

or create it on your own machine:

```
ferflow review --snapshot {snapshot} --store {store}
```

Decide there, press **Save decisions** or **Copy**, and enter the file or the text below. \
Leave both fields empty to continue with the decisions already in force.
"""


class ReviewInput(RunInput):
    """Form that a paused run shows on resume."""

    decisions_file: Annotated[
        str,
        Field(
            title="Decisions file",
            description="Path of the saved file on the machine that runs the flow, or its URL in "
            "object storage (s3://bucket/decisions.csv). Empty: none.",
        ),
    ] = ""
    decisions: Annotated[
        str,
        Field(
            title="Decisions as text",
            description="Or paste the text from the page's Copy button, including its first line "
            "image_id,pixel_sha256,action,label,note. Empty: none.",
        ),
    ] = ""


def _publish_counts(version: DecisionsRef | None, parameters: Parameters) -> None:
    if version is not None:
        counts = ArtifactStore(parameters["store"]).info(version)["counts"]
        rows = [{"action": action, "images": count} for action, count in counts.items()]
        text = f"Decisions in force: version {version.version}"
        publish_table("decisions", rows, text)


def _publish_page(page_url: str, parameters: Parameters) -> None:
    store, page_id = ArtifactStore(parameters["store"]), page_url.split("/")[-2]
    remember(store, REVIEW_STEP, store.ref(ReviewRef, page_id, page_url=page_url))
    snapshot = parameters["snapshot"]
    publish_link("review", page_url, f"Images of {snapshot.id[:12]} that need a decision")


@stage("fer_models.review.decisions", cached=False, publish=_publish_counts)
def decisions(store: StoreConfig) -> DecisionsRef | None:
    """The decisions in force now; never cached."""
    return current_decisions(ArtifactStore(store))


@stage("fer_models.review.page", cached=False, publish=_publish_page)
def build_review(snapshot: SnapshotRef, store: StoreConfig, limit: int = DEFAULT_LIMIT) -> str:
    """Write the review page of a cleaned snapshot with the decisions in force; returns its URL."""
    return store_review_page(ArtifactStore(store), snapshot, limit).page_url


@stage("fer_models.review.decisions", cached=False, publish=_publish_counts)
def record_decisions(
    text: str, store: StoreConfig, snapshot: SnapshotRef | None = None
) -> DecisionsRef:
    """Merge checked decisions (CSV) about a snapshot into those in force, as a new version."""
    opened = ArtifactStore(store)
    manifest = open_snapshot(opened, snapshot).manifest if snapshot else None
    return publish_decisions(opened, parse_decisions(text, _PASTED), manifest)


def check_reviewable() -> None:
    """Reject, before any work is done, a pause that nobody could end.

    Raises:
        ConfigError: the run uses a temporary server, which people can't reach.
    """
    if is_server_temporary():
        raise ConfigError(
            "the config pauses for a review by a person, which needs a reachable Prefect server; "
            "start the run from `ferflow up`, or, without a server, run `ferflow task clean`, "
            "`ferflow review` and `ferflow task clean --decisions FILE`, and repeat this run with "
            "cleaning.pause_for_review=false and cleaning.honour_decisions=true (which applies the "
            "decisions)"
        )


def wait_for_review(
    snapshot: SnapshotRef,
    page_url: str,
    store: StoreConfig,
    timeout_s: int,
    poll_interval_s: int = 10,
) -> DecisionsRef | None:
    """Pause the flow run until a person answers; returns the decisions then in force.

    Call it in a flow. After an invalid answer the run pauses again, and the form shows the error. A
    retried run asks again.

    Args:
        snapshot: the cleaned snapshot that the page shows.
        page_url: URL from `build_review`.
        store: keeps the decisions.
        timeout_s: maximum wait for each answer, in seconds.
        poll_interval_s: interval between checks for an answer, in seconds.

    Raises:
        ConfigError: nobody could answer (see `check_reviewable`).
        GateError: nobody answered in time.
    """
    check_reviewable()
    form = _INSTRUCTIONS.format(
        page=_shown_link(page_url), snapshot=snapshot.id[:12], store=store.url
    )
    problem = ""
    attempt = 0
    while True:
        attempt += 1
        answer = _ask(form + problem, attempt, page_url, timeout_s, poll_interval_s)
        if not answer.decisions_file.strip() and not answer.decisions.strip():
            get_run_logger().info("no new decisions; continuing with those in force")
            return decisions(store)
        try:
            text = _checked(answer, snapshot, ArtifactStore(store))
        except FerError as error:
            get_run_logger().warning("invalid decisions, asking again: %s", error)
            problem = f"\n**The last answer was invalid:**\n\n```\n{_narrow(str(error))}\n```\n"
        else:
            return record_decisions(text, store, snapshot)


def _shown_link(page_url: str) -> str:
    link = page_link(page_url)
    return f"[{link}]({link})" if is_web_address(link) else f"```\n{page_url}\n```"


def _narrow(text: str) -> str:
    """Wrap text to the width of the form, which truncates longer lines."""
    lines = (_WRAPPER.wrap(line) for line in text.split("\n"))
    return "\n".join("\n".join(line) for line in lines).replace("```", "` ` `")


def _ask(
    description: str, attempt: int, page_url: str, timeout_s: int, poll_interval_s: int
) -> ReviewInput:
    from prefect.runtime import flow_run

    # Unique per attempt and retry: Prefect resumes at once from a key that was used before.
    key = f"review-{flow_run.run_count}-{attempt}"
    try:
        return pause_flow_run(
            wait_for_input=ReviewInput.with_initial_data(description=description),
            timeout=timeout_s,
            poll_interval=poll_interval_s,
            key=key,
        )
    except FlowPauseTimeout as error:
        raise GateError(
            f"nobody reviewed the images of {page_url} within {timeout_s / 3600:.3g} h; run it "
            "again (finished tasks come from the cache), or set cleaning.pause_for_review=false"
        ) from error


def _checked(answer: ReviewInput, snapshot: SnapshotRef, store: ArtifactStore) -> str:
    """Decisions of the answer as CSV, checked against the snapshot."""
    opened = open_snapshot(store, snapshot)
    tables = []
    if answer.decisions_file.strip():
        tables.append(_read_path_or_url(answer.decisions_file.strip(), opened.classes))
    if answer.decisions.strip():
        tables.append(parse_decisions(answer.decisions, _PASTED, opened.classes))
    text = decisions_csv(pd.concat(tables, ignore_index=True))
    # Parse the combination: the file and the text may contradict each other.
    table = parse_decisions(text, "the file and the pasted text combined")
    matched = match_decisions(opened.manifest, table, opened.classes)
    for row in matched.unmatched.itertuples():
        get_run_logger().warning("decision about %s: %s", row.image_id, row.why)
    return text


def _read_path_or_url(location: str, classes: ClassList) -> pd.DataFrame:
    """Read decisions from a local file or from object storage."""
    folder, slash, name = location.rpartition("/")
    if "://" not in folder or not slash:
        return read_decisions(user_path(location), classes)
    if location.startswith("file://"):
        return read_decisions(Path(location.removeprefix("file://")), classes)
    data = ArtifactStore(StoreConfig(url=folder)).read_bytes(name)
    return decode_decisions(data, location, classes)
