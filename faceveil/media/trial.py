"""A scratch file, written before work starts: what a muxer refuses shows when it is closed."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from av.error import FFmpegError

from faceveil.errors import UsageError
from faceveil.media import tags
from faceveil.media.accompaniment import kept_chapters, kept_tags
from faceveil.media.demux import open_input
from faceveil.media.frames import Loss
from faceveil.media.publish import output_error
from faceveil.media.splice import Groups, Splice
from faceveil.media.writer import VideoWriter, WritingPlan

_PLACE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""Errors of the place a file is written to, not of what is written."""

_WRITER = "software"  # of the source, which says nothing about the new file


def try_out(plan: WritingPlan, path: Path, scratch: Path) -> tuple[WritingPlan, list[Loss]]:
    """Write one packet of each stream into a scratch file with the real options, and close it.

    Parameters
    ----------
    plan
        What will be written.
    path
        The output, for messages.
    scratch
        The file that is written, and removed.

    Returns
    -------
    The plan, with tags stored under their own names where that keeps more of them, and what of the
    tags and chapters is not kept.

    Raises
    ------
    UsageError
        When the encoder cannot be opened here, or the container refuses what it is given.
    OutputError
        When the file cannot be written.
    """
    _write(plan, path, scratch)
    try:
        lost = _lost_tags(plan, scratch)
        if plan.container.is_mp4 and any("." in name for name in lost):
            plan = replace(plan, has_own_tags=True)
            _write(plan, path, scratch)
            lost = _lost_tags(plan, scratch)
        return plan, _losses(plan, path, scratch, lost)
    finally:
        scratch.unlink(missing_ok=True)


def _write(plan: WritingPlan, path: Path, scratch: Path) -> None:
    writer = VideoWriter(plan, scratch)
    try:
        writer.open()
        writer.write_first_packets()
        picture = plan.layout.black()
        picture.pts, picture.time_base = 0, plan.time_base
        writer.write(picture)
        writer.write(None)
        writer.close()
    except (FFmpegError, OSError, ValueError, NotImplementedError) as error:
        with suppress(FFmpegError, OSError, ValueError):
            writer.close()
        scratch.unlink(missing_ok=True)
        is_of_the_file = "avcodec" not in str(getattr(error, "filename", ""))
        if isinstance(error, OSError) and error.errno in _PLACE and is_of_the_file:
            raise output_error(path, error, 0, None) from error
        raise UsageError(
            f"{path}: {plan.encoder.name} into a {path.suffix} file was refused "
            f"({_words(error)}){_advice(plan)}"
        ) from error


def is_accepted(plan: WritingPlan, groups: Groups, scratch: Path) -> bool:
    """Whether a container takes the header of pictures of the source beside encoded ones."""
    writer = VideoWriter(plan, scratch, Splice(plan, groups))
    try:
        writer.open()
    except (FFmpegError, OSError, ValueError, NotImplementedError):
        return False
    finally:
        with suppress(FFmpegError, OSError, ValueError):
            writer.close()
        scratch.unlink(missing_ok=True)
    return True


def _words(error: Exception) -> str:
    """FFmpeg's own words, which say more than its error number."""
    log = getattr(error, "log", None)
    return str(log[2]).strip() if log else str(getattr(error, "strerror", None) or error)


def _advice(plan: WritingPlan) -> str:
    if "_" in plan.encoder.name and plan.encoder.name == plan.options.codec:
        return f": this machine has no such device, or no driver; use codec {plan.encoder.family}"
    if plan.container.muxer != "matroska":
        return ": write a .mkv file instead"
    return ": choose another codec"


def _lost_tags(plan: WritingPlan, scratch: Path) -> list[str]:
    """The names of the source's tags that are not in the scratch file."""
    if plan.source is None:
        return []
    with open_input(plan.source.path) as source, open_input(scratch) as output:
        wanted = kept_tags(source.metadata, plan.options.strip_metadata)
        found = {_plain(key): text for key, text in output.metadata.items()}
        return [
            key for key in wanted if _plain(key) != _WRITER and not _is_kept(key, wanted, found)
        ]


def _plain(key: str) -> str:
    return key.lower().removesuffix("-eng").removesuffix("-und")


def _is_kept(key: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    text = found.get(_plain(key))
    if text is None:
        return False
    is_time = _plain(key) in ("creation_time", "date")  # written in the container's own form
    return is_time or text.strip() == wanted[key].strip()


def _losses(plan: WritingPlan, path: Path, scratch: Path, lost: list[str]) -> list[Loss]:
    if plan.source is None:
        return []
    losses = []
    kind, strip = f"a {path.suffix} file", plan.options.strip_metadata
    if lost:
        losses.append(Loss(f"tags ({', '.join(lost)})", f"{kind} has no place for them"))
    with open_input(plan.source.path) as source, open_input(scratch) as output:
        chapters = kept_chapters(source.chapters(), strip, plan.source.timeline)
        if chapters and not output.chapters():
            losses.append(Loss(f"{len(chapters)} chapters", f"{kind} has no place for them"))
        losses += _left_out_tags(source.metadata, strip)
    return losses


def _left_out_tags(metadata: Mapping[str, str], strip: bool) -> list[Loss]:
    current = tags.current(metadata)
    pictures = [key for key, text in current.items() if tags.holds_picture(key, text)]
    losses = [
        Loss(f"the picture in the tag {key}", "it was not looked at for faces") for key in pictures
    ]
    private = [key for key in tags.without_pictures(current) if not tags.stripped({key: ""})]
    if strip and private:
        losses.append(Loss(f"tags ({', '.join(private)})", "left out, as asked for"))
    return losses
