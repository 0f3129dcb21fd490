"""Errors that a client can act on, as JSON: what was expected, what came, what to do."""

import logging
import math
from collections.abc import Sequence
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from deployments.inference_server.models.batching import QueueFullError, StoppedError
from fer_models.errors import ConfigError, DataError

_log = logging.getLogger(__name__)
_RETRY_S = 5
_HIDDEN = "the log of the server says why"
_BY_STATUS = {
    400: ("malformed_request", "send the request as /openapi.json describes it"),
    404: ("not_found", "see /openapi.json for all addresses"),
    405: ("method_not_allowed", "see /openapi.json for the methods of each address"),
}


class Problem(BaseModel):
    """Why a request was not answered."""

    code: str = Field(description="A word for programs, such as `too_large`.")
    error: str = Field(description="What was expected, and what came.")
    problems: list[str] = Field(description="One line for each problem, if there are several.")
    remedy: str = Field(description="What to do.")


class RequestError(Exception):
    """A request that is not answered with predictions; see `Problem`."""

    def __init__(
        self,
        status: int,
        code: str,
        error: str,
        remedy: str,
        problems: Sequence[str] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers or {}
        self.problem = Problem(code=code, error=error, problems=list(problems), remedy=remedy)

    def response(self) -> JSONResponse:
        """The answer to the request."""
        headers = {"Cache-Control": "no-store", **self.headers}
        return JSONResponse(self.problem.model_dump(), self.status, headers)


def busy(code: str, error: str, retry_after_s: float, status: int = 503) -> RequestError:
    """Too much at once: the client shall try again later."""
    seconds = max(1, math.ceil(retry_after_s))
    remedy = f"send the request again in {seconds} s, and fewer at once"
    return RequestError(status, code, error, remedy, headers={"Retry-After": str(seconds)})


def unusable(error: str, remedy: str, problems: Sequence[str] = ()) -> RequestError:
    """The content of a request can't be used."""
    return RequestError(422, "unusable_input", error, remedy, problems)


def as_request_error(error: Exception) -> RequestError:
    """What a client is told of any error; details of unexpected ones go to the log only."""
    match error:
        case RequestError():
            return error
        case QueueFullError():
            text = f"expected room in the queue, but {error.waiting} pictures wait"
            return busy("queue_full", text, error.retry_after_s)
        case StoppedError():
            return busy("stopping", "the server is being stopped", _RETRY_S)
        case TimeoutError():
            text = "expected an answer within the time limit of the server"
            return busy("timeout", text, _RETRY_S, status=504)
        case RequestValidationError():
            return unusable(
                "expected parameters as /openapi.json describes them",
                "correct the parameters",
                [_place(one) for one in error.errors()],
            )
        case HTTPException():
            return _of_status(error)
        case DataError() | ConfigError():
            return unusable(error.message, "correct the input", error.problems)
    _log.exception("a request failed", exc_info=error)
    text = f"the server failed; {_HIDDEN}"
    return RequestError(500, "internal_error", text, "report it with the server's log")


def _of_status(error: HTTPException) -> RequestError:
    phrase = HTTPStatus(error.status_code).phrase
    code, remedy = _BY_STATUS.get(error.status_code, ("rejected", "see /openapi.json"))
    detail = str(error.detail or phrase)
    return RequestError(error.status_code, code, detail, remedy, headers=dict(error.headers or {}))


def _place(problem: dict[str, object]) -> str:
    place = problem.get("loc")
    parts = [str(part) for part in place] if isinstance(place, tuple | list) else []
    text = f"{'.'.join(parts)}: {problem.get('msg')}"
    given = problem.get("input")
    return f"{text}, got {str(given)[:100]!r}" if isinstance(given, str | int | float) else text


HANDLED: tuple[type[Exception], ...] = (
    RequestError,
    QueueFullError,
    StoppedError,
    TimeoutError,
    RequestValidationError,
    HTTPException,
    DataError,
    ConfigError,
)
"""Errors that are the client's, or pass; any other is a fault of the server."""
