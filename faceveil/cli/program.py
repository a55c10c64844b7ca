"""How a program ends: every error becomes one message and an exit code, in one place.

Messages never stop the work: where standard error is closed, or its reader has gone, they are
dropped.
"""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from faceveil.errors import FaceveilError, UsageError

EXIT_UNEXPECTED = 1
EXIT_INTERRUPTED = 130
EXIT_READER_GONE = 141  # 128 + SIGPIPE, as the shell reports it of other programs

EXIT_CODES = """\
exit codes:
  0    done
  1    an unexpected error: please report it; --debug shows where it happened
  2    wrong usage
  3    bad input (what could be read is done, the rest is named)
  4    a face would stay visible, or the output shows one
  5    the output cannot be written
  6    a network's weights are unavailable
  130  interrupted (129 and 143: by SIGHUP and SIGTERM)
"""

_A_MOMENT = 0.1
"""Seconds after which an interruption that was lost is made again."""

EXTRAS = {
    "boto3": "aws",
    "botocore": "aws",
    "cryptography": "sign",
    "starlette": "review",
    "uvicorn": "review",
}
"""The extra of the package that installs a module."""


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which clean up as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def run_program(
    name: str, work: Callable[[], int], *, interrupted: str, debug: bool = False
) -> int:
    """Return the exit code of `work`, or of the error it raised, which is told on standard error.

    Parameters
    ----------
    name
        The program, which begins its messages.
    work
        Does what the command line asks for; returns an exit code.
    interrupted
        What a user should know after Ctrl-C.
    debug
        Show the traceback of an error, too.
    """
    with _patient_messages(), _signals_interrupt():
        try:
            code = work()
            sys.stdout.flush()
            return code
        except KeyboardInterrupt as error:
            # The terminal has echoed ^C, or holds half a progress bar.
            print(f"\n{name}: interrupted; {interrupted}", file=sys.stderr)
            return getattr(error, "exit_code", EXIT_INTERRUPTED)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _reader_is_gone():
                return EXIT_READER_GONE
            if debug:
                traceback.print_exc()
            return say_error(name, error)


def say_error(name: str, error: Exception) -> int:
    """Print one line about an error; returns its exit code."""
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        extra = EXTRAS[error.name]
        error = UsageError(f"this command needs {error.name}: pip install 'faceveil[{extra}]'")
    if isinstance(error, FaceveilError):
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    text = " ".join(str(error).split()) or "no details"
    print(
        f"{name}: unexpected error in {_place(error)}: {type(error).__name__}: {text}; please "
        "report it with the traceback that --debug shows",
        file=sys.stderr,
    )
    return EXIT_UNEXPECTED


def _place(error: Exception) -> str:
    """The line of faceveil that was running."""
    frames = traceback.extract_tb(error.__traceback__)
    package = str(Path(__file__).parents[1])
    ours = [frame for frame in frames if frame.filename.startswith(package)] or frames
    return f"{Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else "an unknown place"


class _Patient:
    """A stream for messages that drops them once its reader has gone."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            _discard(2)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _discard(2)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def _patient_messages() -> Iterator[None]:
    """Let standard error drop what is not read, for the length of a block."""
    _open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that are not UTF-8
    before = sys.stderr
    sys.stderr = _Patient(before)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before


def _open_standard_streams() -> None:
    """Open the standard streams that are closed onto nothing.

    Otherwise the next file that is opened, such as the output, would take their number, and
    messages of libraries would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def _reader_is_gone() -> bool:
    """Whether the broken pipe is standard output; otherwise it is a connection of the work."""
    pipe = select.poll()
    pipe.register(1, 0)
    if not any(event & select.POLLERR for _, event in pipe.poll(0)):
        return False
    _discard(1)
    return True


def _discard(number: int) -> None:
    """Connect a standard stream to nothing, so that what is left in it can be flushed."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
    except OSError:
        return


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt a block as Ctrl-C does, unless they are ignored.

    Python drops an exception that is raised where an object is just being freed. An interruption
    that is lost like that is made again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    before = {
        number: signal.signal(number, _stop)
        for number in numbers
        if number is not None and signal.getsignal(number) is signal.SIG_DFL
    }
    hook = sys.unraisablehook
    thread, timers = threading.get_ident(), list[threading.Timer]()

    def again(dropped: sys.UnraisableHookArgs) -> None:
        error = dropped.exc_value
        if not isinstance(error, KeyboardInterrupt):
            hook(dropped)
            return
        number = error.exit_code - 128 if isinstance(error, Stopped) else signal.SIGINT
        timers.append(threading.Timer(_A_MOMENT, signal.pthread_kill, (thread, number)))
        timers[-1].start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(number)
