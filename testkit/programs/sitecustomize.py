"""Keeps a copy of every picture and video that a program publishes (`testkit.published`).

Python runs a file of this name at the start of every program whose PYTHONPATH names its folder.
What is published is renamed from a hidden name (`paths.temporary_beside`), and Python announces
every rename, so that the library needs no code for its tests. Nothing is imported before that: some
tests watch what a program imports.
"""

import os
import sys

FOLDER = "FACEVEIL_TESTS_PUBLISHED"
"""The variable of the environment that names where the copies go."""
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".tif", ".tiff", ".bmp"),
    *(".gif", ".avif", ".avifs", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx"),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".m2ts", ".mts"),
)
_HIDDEN = ".partial"


def _keep_a_copy(event: str, arguments: tuple[object, ...]) -> None:
    if event != "os.rename" or FOLDER not in os.environ:
        return
    hidden, path = (os.fsdecode(argument) for argument in arguments[:2])  # type: ignore[arg-type]
    if _HIDDEN not in hidden:
        return
    import shutil
    import tempfile
    from pathlib import Path

    if not (Path(hidden).is_dir() or hidden.lower().endswith(SUFFIXES)):
        return
    kept = Path(tempfile.mkdtemp(dir=os.environ[FOLDER]))
    copy = shutil.copytree if Path(hidden).is_dir() else shutil.copyfile
    copy(hidden, kept / "content")
    (kept / "path").write_bytes(os.fsencode(path))  # last: it says that the copy is whole


sys.addaudithook(_keep_a_copy)
