"""Worker process that decodes images: `python -m fer_models.ingest.decoding.worker SOCKET SCRATCH`.

Both arguments are descriptors that it inherits. It receives `Job`s, writes the pixels to the
scratch file, and answers each job with its outcomes. It ends when the other end of the socket is
closed, hence also when its parent dies.
"""

import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import NamedTuple

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.decoding.scratch import Region, mapped
from fer_models.ingest.decoding.tasks import Destination, Task, decode_tasks
from fer_models.ingest.files.image_pixels import quiet_decoding

READY = "ready"
"""Sent once, before any outcome."""


class Job(NamedTuple):
    """Some files, and where the pixels go."""

    images: Region
    thumbnails: Region | None
    target: ImageFormat
    tasks: list[Task]


def main(socket: int, scratch: int) -> None:
    """Answer jobs until the socket is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then closes it
    mapping: tuple[Region, Destination] | None = None
    with Connection(socket) as connection, os.fdopen(scratch, "r+b") as file, quiet_decoding():
        try:
            connection.send(READY)
            while True:
                job: Job = connection.recv()
                if mapping is None or mapping[0] != job.images:
                    small = mapped(file, job.thumbnails) if job.thumbnails else None
                    images = mapped(file, job.images)
                    mapping = job.images, Destination(images, small, job.target)
                connection.send(decode_tasks(job.tasks, mapping[1]))
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
