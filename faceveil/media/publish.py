"""Output under a temporary name first, so that a half file is never taken for a result."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from av.error import FFmpegError

from faceveil.errors import OutputError, UsageError
from faceveil.paths import temporary_beside

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_destination(path: Path, source: Path) -> None:
    """Refuse an output that is the input, lies inside an input folder or cannot be written.

    Raises UsageError or OutputError.
    """
    target = Path(os.path.realpath(path))  # unlike `resolve` without an error for a link to itself
    origin = Path(os.path.realpath(source))
    same = path.exists() and source.exists() and path.samefile(source)
    if same or target == origin:
        raise UsageError(f"{path}: this is the input; the output is never written onto the input")
    if origin.is_dir() and origin in target.parents:
        raise UsageError(f"{path}: lies inside the input folder {source}; choose a place outside")
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} may not be written to")


def output_error(
    path: Path, error: OSError | FFmpegError, written: int, share: float | None
) -> OutputError:
    """What to tell the user when writing `path` failed.

    `written` is how many bytes were already stored, `share` what part of the work that was.
    """
    if error.errno not in _FULL:
        return OutputError(f"{path}: cannot be written ({error.strerror or error})")
    needed = f"about {written / share / 1e6:.1f} MB are needed" if share else "more is needed"
    return OutputError(
        f"{path}: no space left on the disk after {written / 1e6:.1f} MB; {needed}. "
        "Nothing was left behind: free space or choose another disk"
    )


def remove(path: Path) -> None:
    """Remove what was written so far, a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def replace_folder(new: Path, path: Path) -> None:
    """Rename a folder to `path`, in place of a folder that may be there."""
    if not path.exists():
        new.rename(path)
        return
    old = temporary_beside(path)
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    remove(old)
