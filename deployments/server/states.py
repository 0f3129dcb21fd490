"""Runs in states with names of our own stay in the lists of Prefect's UI.

The UI lists the runs of a deployment by the names of Prefect's own states ("All except scheduled"),
so a run that ended as `Promoted` would not be in the list.
"""

import json
import re
from typing import Any

from deployments.server.guard import App, Message, Receive, Send, read_body, replay
from flows.entry.states import SHOWN_WITH

_LISTS = re.compile(r"/api/(?:ui/)?flow_runs/[a-z-]+")


class StateNames:
    """Lets a browser that asks for runs by Prefect's state names find those in our states, too.

    Programs get what they ask for: only browsers send the header Origin.

    Args:
        app: Prefect's app.
    """

    def __init__(self, app: App) -> None:
        """Wrap the app."""
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, with our names beside Prefect's."""
        if scope["type"] != "http" or not _is_list_in_browser(scope):
            await self._app(scope, receive, send)
            return
        given = await read_body(receive)
        body = _with_our_names(given)
        if body != given:
            length = (b"content-length", b"%d" % len(body))
            others = [each for each in scope["headers"] if each[0] != length[0]]
            scope = {**scope, "headers": [*others, length]}
        await self._app(scope, replay(body, receive), send)


def _is_list_in_browser(scope: Message) -> bool:
    is_list = scope["method"] == "POST" and _LISTS.fullmatch(scope.get("path", "")) is not None
    return is_list and any(name == b"origin" for name, _ in scope["headers"])


def _with_our_names(body: bytes) -> bytes:
    try:
        wanted: dict[str, Any] = json.loads(body)
        names = wanted["flow_runs"]["state"]["name"]["any_"]
        ours = [own for own, prefects in SHOWN_WITH.items() if prefects in names]
        wanted["flow_runs"]["state"]["name"]["any_"] = list(dict.fromkeys([*names, *ours]))
    except (ValueError, KeyError, TypeError):
        return body  # no filter by name
    return json.dumps(wanted).encode()
