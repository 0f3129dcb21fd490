"""Links that a browser can open: artifact files by the address of the page server.

The page server (`ferflow pages`) serves a store over HTTP. Its address is the environment variable
FERFLOW_PAGES_URL of the process that runs a flow. It influences links only, never a cache key or
the id of an artifact.
"""

import os
import re
from urllib.parse import quote

from fer_models.storage.refs import ARTIFACT_KINDS
from tasks.artifacts.markdown import cell

PAGES_VARIABLE = "FERFLOW_PAGES_URL"
_FOLDERS = "|".join(kind.folder for kind in ARTIFACT_KINDS)
_ARTIFACT_URL = re.compile(rf".*/({_FOLDERS})/([^/]+)(?:/(.*))?")


def page_link(url: str) -> str:
    """The address of an artifact, or of one of its files, on the page server.

    Args:
        url: in the store, such as `ref.url`, `ref.report_url` or `f"{ref.url}/best.json"`.

    Returns:
        An http address; `url` itself if FERFLOW_PAGES_URL is not set, or if no artifact is there.

    Example:
        With FERFLOW_PAGES_URL=http://127.0.0.1:4201:

            page_link("s3://bucket/store/runs/0a1b/report.html")
            # http://127.0.0.1:4201/runs/0a1b/report.html
    """
    server = os.environ.get(PAGES_VARIABLE, "").rstrip("/")
    found = _ARTIFACT_URL.fullmatch(url)
    if found is None or not is_web_address(server):
        return url
    folder, artifact_id, file = found.groups()
    return f"{server}/{folder}/{quote(artifact_id)}/{quote(file or '')}"


def comparison_link(text: str, run_a: str, run_b: str) -> str:
    """Markdown that leads to the comparison of two recorded runs; without a server, the command.

    Args:
        text: of the link.
        run_a: id of the earlier run.
        run_b: id of the later one.
    """
    server = os.environ.get(PAGES_VARIABLE, "").rstrip("/")
    if is_web_address(server):
        return f"[{cell(text)}]({server}/compare/{quote(run_a)}/{quote(run_b)})"
    return f"{cell(text)}: `ferflow runs compare {run_a} {run_b}`"


def is_web_address(url: str) -> bool:
    """Whether a browser opens the address from a page of the UI."""
    return url.startswith(("http://", "https://"))


def markdown_link(text: str, url: str) -> str:
    """Markdown that leads to a file of the store: a link, or the URL as text without a server."""
    link = page_link(url)
    return f"[{text}]({link})" if is_web_address(link) else f"{text}: `{url}`"
