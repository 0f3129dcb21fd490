"""Clients that ask an inference server at the same time, and how long each of them waits."""

import http.client
import threading
import time
import urllib.parse
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TIMEOUT_S = 300


@dataclass(frozen=True)
class Load:
    """What came of some requests: their HTTP statuses, seconds until each answer, and in total."""

    statuses: tuple[int, ...]
    seconds: tuple[float, ...]
    total_s: float

    @property
    def lost(self) -> int:
        """Requests without predictions."""
        return sum(status != 200 for status in self.statuses)

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return len(self.statuses) / self.total_s

    def percentile_ms(self, percent: float) -> float:
        """The time within which `percent` of the requests were answered, in milliseconds."""
        return float(1000 * np.percentile(self.seconds, percent))


def send(url: str, pictures: Sequence[bytes], clients: int) -> Load:
    """Send one request for each picture, from so many clients at a time.

    Args:
        url: of the server.
        pictures: files of faces, cut out.
        clients: threads, each with a connection of its own.
    """
    address = urllib.parse.urlsplit(url)
    answers: list[tuple[int, float]] = []
    left = list(enumerate(pictures))
    start = threading.Barrier(clients + 1)

    def work() -> None:
        connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_S)
        start.wait()
        while left:
            try:
                number, data = left.pop()
            except IndexError:
                break
            answers.append(_ask(connection, number, data))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    begin_s = time.perf_counter()
    for thread in threads:
        thread.join()
    total_s = time.perf_counter() - begin_s
    statuses, seconds = zip(*answers, strict=True)
    return Load(statuses, seconds, total_s)


def _ask(connection: http.client.HTTPConnection, number: int, data: bytes) -> tuple[int, float]:
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="pictures"; filename="{number}.png"'
    )
    body = f"{head}\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()
    begin_s = time.perf_counter()
    try:
        connection.request(
            "POST",
            "/predict?faces=crop",
            body,
            {"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    except OSError:
        status = 0
    return status, time.perf_counter() - begin_s
