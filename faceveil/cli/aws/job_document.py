"""job.json as the options of `faceveil aws submit` ask for it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.jobs.upload_note import UploadNote
    from faceveil.sequence.regions import FixedRegion

VIDEO_SUFFIX = ".mp4"


def job_document(
    options: argparse.Namespace, job_id: str, brought: UploadNote, photos: Iterable[str] = ()
) -> dict[str, Any]:
    """Return job.json without `transform` or `processing`.

    photos: people whose photos are uploaded with it.
    """
    from faceveil.cli.options import given

    frames: dict[str, Any] = {"prefix": brought.frames_prefix} | _other_bucket(options)
    if brought.rate is not None:
        frames["rate"] = str(brought.rate)
    if options.frames is None:
        frames["digest"] = brought.digest
    document: dict[str, Any] = {"version": 1, "id": job_id, "frames": frames}
    if brought.source_video is not None:
        document["source_video"] = brought.source_video
    document["selection"] = _selection(options, job_id, brought, photos)
    document["veil"] = {"style": options.veil} | given(options, "margin")
    if options.video:
        document["output"] = {"video": _video(options, job_id)}
    elif options.crf is not None or options.preset:
        raise UsageError("--crf and --preset are for a video: add --video NAME")
    if options.sampling == "adaptive":
        document["sampling"] = {"mode": "adaptive"}
    if options.region:
        document["regions"] = [_region(region) for region in options.region]
    networks: dict[str, Any] = given(options, "detector", "recognizer")
    if options.also:
        networks["also"] = [str(also) for also in options.also]
    if options.accept_licence:
        networks["accept_licence"] = True
    if networks:
        document["networks"] = networks
    verified = options.verify_frames != "off"
    document["verification"] = options.on_violation if verified else "off"
    document["on_failure"] = options.on_failure
    if options.delete_features:
        document["retention"] = {"delete_features": True}
    return document


def _selection(
    options: argparse.Namespace, job_id: str, brought: UploadNote, photos: Iterable[str]
) -> dict[str, Any]:
    from faceveil.cli.options import given, request_of
    from faceveil.jobs.job import job_prefix

    mode = request_of(options).mode
    keep = mode == "keep"
    selection: dict[str, Any] = {"mode": mode}
    named = [str(path) for path in (options.keep if keep else options.only)]
    people = {name: brought.people[name] for name in named if name in brought.people}
    people |= {name: f"{job_prefix(job_id)}references/{name}/" for name in photos}
    points = options.keep_at if keep else options.only_at
    identities = options.keep_identity if keep else options.only_identity
    if people:
        selection["references"] = people
    if points:
        selection["points"] = [{"frame": f, "x": x, "y": y} for f, x, y in points]
    if identities:
        selection["identities"] = identities
    if options.between:
        selection["times"] = [
            {"seconds" if in_seconds else "frames": [_number(start), _number(end)]}
            for start, end, in_seconds in options.between
        ]
    return selection | given(options, "accept", "uncertain")


def _region(region: FixedRegion) -> dict[str, Any]:
    unit = "seconds" if region.in_seconds else "frames"
    span = [_number(region.start), _number(region.end)]
    return {unit: span, "box": list(region.box), "kind": region.kind.word}


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _video(options: argparse.Namespace, job_id: str) -> dict[str, Any]:
    from faceveil.cli.options import given
    from faceveil.jobs.job import job_prefix

    name = options.video if Path(options.video).suffix else options.video + VIDEO_SUFFIX
    return {"key": f"{job_prefix(job_id)}{name}"} | given(options, "crf", "preset")


def _other_bucket(options: argparse.Namespace) -> dict[str, str]:
    from faceveil.aws.clients import S3Uri, is_s3

    named: str | None = options.frames
    return {"bucket": S3Uri.parse(named).bucket} if named and is_s3(named) else {}
