"""Worker process that decodes images.

`python -m fer_models.ingest.decoding.worker SOCKET IMAGES THUMBNAILS`: descriptors it inherits.
It receives `Job`s, writes the pixels to the two files, and answers each job with its outcomes. It
ends when the other end of the socket is closed, hence also when its parent dies.
"""

import signal
import sys
from multiprocessing.connection import Connection
from typing import NamedTuple

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.decoding.tasks import Destination, Task, decode_tasks, into_file
from fer_models.ingest.files.image_pixels import quiet_decoding

READY = "ready"
"""Sent once, before any outcome."""


class Job(NamedTuple):
    """Some files, and where the pixels go."""

    images_start: int
    """Of the first image in the file of images, in bytes."""
    thumbnails_start: int | None
    target: ImageFormat
    tasks: list[Task]


def destination(images: int, thumbnails: int, job: Job) -> Destination:
    """Where the pixels of a job go in these two files."""
    start = job.thumbnails_start
    small = None if start is None else into_file(thumbnails, start)
    return Destination(into_file(images, job.images_start), small, job.target)


def main(socket: int, images: int, thumbnails: int) -> None:
    """Answer jobs until the socket is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then closes it
    with Connection(socket) as connection, quiet_decoding():
        try:
            connection.send(READY)
            while True:
                job: Job = connection.recv()
                outcomes = decode_tasks(job.tasks, destination(images, thumbnails, job))
                connection.send(outcomes)
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
