"""The Ray processes started by this process, by their titles."""

import psutil


def ray_workers(*titles: str) -> list[psutil.Process]:
    """Child processes whose command line contains one of the titles."""
    found = []
    for child in psutil.Process().children(recursive=True):
        command = " ".join(child.cmdline())
        if any(title in command for title in titles):
            found.append(child)
    return found
