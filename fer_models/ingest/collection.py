"""Keep the garbage collector from traversing everything else while many objects are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def older_objects_frozen() -> Iterator[None]:
    """Leave the objects that exist already out of garbage collections during the block.

    Reading makes several objects an image, which sets off collections; each would traverse the
    modules of torch and pandas, too. New objects are collected as ever, so memory is bounded.
    Nothing is done if objects are frozen already, since unfreezing has no levels.

    Example:
        with older_objects_frozen():
            read_sources(config, seed)
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
