"""Taking back what was put into AWS for a search."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from faceveil.errors import FaceveilError


@contextmanager
def undone_afterwards(undo: Callable[[], None]) -> Iterator[None]:
    """Undo something when the block ends, however it ends.

    Where both the block and the undoing fail, the block's error is raised and the other logged.
    """
    try:
        yield
    except BaseException:
        try:
            undo()
        except FaceveilError as error:
            logging.getLogger(__name__).error("%s", error)
        raise
    undo()
