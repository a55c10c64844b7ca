"""How a program ends: every error becomes one message and an exit code, in one place."""

from __future__ import annotations

import sys
from collections.abc import Callable

from faceveil.errors import FaceveilError, UsageError

EXIT_INTERRUPTED = 130

EXIT_CODES = """\
exit codes:
  0    done
  1    an unexpected error: please report it
  2    wrong usage
  3    bad input (what could be read is done, the rest is named)
  4    a face would stay visible, or the output shows one
  5    the output cannot be written
  6    a network's weights are unavailable
  130  interrupted
"""

EXTRAS = {"boto3": "aws", "botocore": "aws"}
"""The extra of the package that installs a module."""


def run_program(name: str, work: Callable[[], int], *, interrupted: str) -> int:
    """Return the exit code of `work`, or of the error it raised, which is told on standard error.

    Parameters
    ----------
    name
        The program, which begins its messages.
    work
        Does what the command line asks for; returns an exit code.
    interrupted
        What a user should know after Ctrl-C.
    """
    try:
        return work()
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        return _fail(name, UsageError(_to_install(error.name)))
    except FaceveilError as error:
        return _fail(name, error)
    except KeyboardInterrupt:
        # The terminal has echoed ^C, or holds half a progress bar.
        print(f"\n{name}: interrupted; {interrupted}", file=sys.stderr)
        return EXIT_INTERRUPTED


def _to_install(module: str) -> str:
    return f"this command needs {module}: pip install 'faceveil[{EXTRAS[module]}]'"


def _fail(name: str, error: FaceveilError) -> int:
    print(f"{name}: {error}", file=sys.stderr)
    return error.exit_code
