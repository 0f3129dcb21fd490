"""The processes of Ray that this process has started, by their titles."""

import psutil


def ray_workers(*titles: str) -> list[psutil.Process]:
    """Those whose command line has one of the titles in it."""
    found = []
    for child in psutil.Process().children(recursive=True):
        command = " ".join(child.cmdline())
        if any(title in command for title in titles):
            found.append(child)
    return found
