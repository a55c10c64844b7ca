"""Keeps a copy of every picture and video that a program publishes, for `testkit.published` to scan.

Python runs a file of this name at the start of every program whose PYTHONPATH names its folder. What
is published is renamed from a hidden name (`paths.temporary_beside`), and Python announces every
rename, so that the library needs no code for its tests. Nothing is imported before that: some tests
watch what a program imports.
"""

import os
import sys

FOLDER = "FACEVEIL_TESTS_PUBLISHED"
"""The variable of the environment that names where the copies go."""
SUFFIXES = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .mpo .webp .tif .tiff .bmp .gif .avif .avifs .heic .heif .hif "
    ".jp2 .j2k .jpx .mp4 .m4v .mov .mkv .webm .ts .m2ts .mts".split()
)
_HIDDEN = ".partial"


def _keep_a_copy(event: str, arguments: tuple[object, ...]) -> None:
    if event != "os.rename" or FOLDER not in os.environ:
        return
    hidden, path = (os.fsdecode(argument) for argument in arguments[:2])  # type: ignore[arg-type]
    if _HIDDEN not in hidden:
        return
    is_folder = os.path.isdir(hidden)
    if not is_folder and os.path.splitext(hidden)[1].lower() not in SUFFIXES:
        return
    import shutil
    import tempfile

    kept = tempfile.mkdtemp(dir=os.environ[FOLDER])
    copy = shutil.copytree if is_folder else shutil.copyfile
    copy(hidden, os.path.join(kept, "content"))
    with open(os.path.join(kept, "path"), "wb") as file:  # last: it says that the copy is whole
        file.write(os.fsencode(path))


sys.addaudithook(_keep_a_copy)
