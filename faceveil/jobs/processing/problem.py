"""How a container of a Processing job says what has failed: SageMaker passes on a short message.

It is the `ExitMessage` of DescribeProcessingJob and of the state change, up to 1 KB.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import orjson

from faceveil import errors
from faceveil.errors import FaceveilError, InputError

_MOST_CHARACTERS = 400
"""Of the reason: with letters of several bytes, escapes and the frame around it below 1 KB."""


def write_message(root: Path, error: BaseException) -> None:
    """Leave the message of an error for SageMaker, as far as it can be written."""
    text = str(error) or type(error).__name__
    cut = text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
    kind = type(error).__name__ if isinstance(error, FaceveilError) else ""
    content = orjson.dumps({"error": kind, "reason": cut})
    path = root / "output" / "message"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read_message(message: str) -> FaceveilError | None:
    """The error that a container has left; None where it left nothing of the kind."""
    try:
        note = orjson.loads(message)
        name, reason = str(note["error"]), str(note["reason"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, FaceveilError)):
        return InputError(f"unexpected: {reason}")
    return kind(reason)
