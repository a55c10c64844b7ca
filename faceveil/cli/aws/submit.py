"""`faceveil aws submit`: job.json, made of the options, starts the job."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson

from faceveil.aws.clients import sagemaker_client
from faceveil.cli.aws.deployment import checked_id, client_of, machines_of, own_frames
from faceveil.cli.options import mode_of
from faceveil.errors import InputError, UsageError
from faceveil.identity.references import photos_by_person
from faceveil.jobs.client import JobClient
from faceveil.jobs.job import job_prefix, read_job
from faceveil.jobs.job_folder import JOB
from faceveil.jobs.transforms.request import vcpus_of
from faceveil.jobs.upload_note import UploadNote, read_upload_note
from faceveil.media.s3_keys import list_frames

VIDEO_SUFFIX = ".mp4"


def submit(options: Namespace) -> int:
    """Write job.json; the exit code. Nothing is written unless all of it makes sense."""
    job_id = checked_id(options.job)
    client = client_of(options)
    machines = machines_of(options)
    check_instance_type(machines.get("instance_type"))
    brought = _brought(client, job_id, options)
    photos = _photos(brought, job_id, options)
    document = job_document(options, job_id, brought, photos) | (
        {"transform": machines} if machines else {}
    )
    content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    folder = client.bucket.folder(job_prefix(job_id))
    read_job(content, str(folder.uri(JOB)))
    if options.dry_run:
        print(f"would write {folder.uri(JOB)}, for {brought.frames} frames:\n{content.decode()}")
        return 0
    is_new = folder.find(JOB) is None
    for name, paths in photos.items():
        for path in paths if is_new else ():
            folder.upload(f"references/{name}/{path.name}", path)
    client.submit(content)
    print(f"{folder.uri(JOB)} starts the job, {brought.frames} frames")
    print(f"next: faceveil aws watch {job_id}")
    return 0


def check_instance_type(instance_type: str | None) -> None:
    """Raises UsageError for a type that SageMaker has no transform jobs on; AWS is not asked."""
    if instance_type is None:
        return
    shape: Any = sagemaker_client().meta.service_model.shape_for("TransformInstanceType")
    known: list[str] = shape.enum
    if instance_type not in known:
        near = difflib.get_close_matches(instance_type, known, 3) or ["ml.c5.xlarge"]
        raise UsageError(
            f"--instance-type {instance_type}: transform jobs do not run on it; try "
            f"{' or '.join(near)}"
        )
    vcpus_of(instance_type)


def _brought(client: JobClient, job_id: str, options: Namespace) -> UploadNote:
    """What there is to veil. Raises InputError when the frames are not all there."""
    note = read_upload_note(client.bucket, job_id)
    rate = None if options.rate is None else rate_of(options.rate)
    if options.frames is not None:
        place = client.bucket.folder(options.frames)
        frames = list_frames(place)
        people = note.people if note else {}
        return UploadNote(len(frames), place.prefix, frames.digest(), rate, people=people)
    place = client.bucket.folder(own_frames(job_id))
    if note is None:
        started = any(place.pages())
        raise InputError(
            f"{place.uri()}: the frames of job {job_id} are not all there: "
            + ("run the same `faceveil aws upload` again, " if started else "upload them first, ")
            + "or name with --frames where they lie"
        )
    found = len(list_frames(place))
    if found != note.frames:
        raise InputError(
            f"{place.uri()}: {found} frames, but {note.frames} were uploaded: upload them again "
            "under another job id"
        )
    if rate is not None and note.rate is not None:
        raise UsageError(f"--rate {options.rate}: the video that was uploaded has {note.rate}")
    return replace(note, rate=rate or note.rate)


def rate_of(text: str) -> Fraction:
    """25, 29.97 or 30000/1001. Raises UsageError."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction()
    if not Fraction(1, 100) <= rate <= 1000:
        raise UsageError(f"--rate {text}: is no rate such as 25 or 30000/1001")
    return rate


def _photos(brought: UploadNote, job_id: str, options: Namespace) -> dict[str, list[Path]]:
    """Photos of this machine that the choice needs, by the name of the person."""
    chosen: list[Path] = options.keep or options.only
    paths = [path for path in chosen if str(path) not in brought.people]
    for path in paths:
        if not path.exists():
            known = ", ".join(brought.people) or "nobody"
            raise InputError(
                f"{path}: there is no such photo or folder, and nobody of this name was uploaded "
                f"for {job_id} ({known})"
            )
    people = {name.replace("/", " "): list(p) for name, p in photos_by_person(paths).items()}
    for name in people:
        if name in brought.people:
            raise InputError(f"{name}: was uploaded for {job_id} already: choose by the name")
    return people


def job_document(
    options: Namespace, job_id: str, brought: UploadNote, photos: Iterable[str] = ()
) -> dict[str, Any]:
    """What job.json says, but for the machines. photos: people whose photos come with it."""
    frames: dict[str, Any] = {"prefix": brought.frames_prefix}
    if brought.rate is not None:
        frames["rate"] = str(brought.rate)
    if options.frames is None:
        frames["digest"] = brought.digest
    document: dict[str, Any] = {"version": 1, "id": job_id, "frames": frames}
    if brought.source_video is not None:
        document["source_video"] = brought.source_video
    document["selection"] = _selection(options, job_id, brought, photos)
    document["veil"] = {"style": options.veil} | _given(options, "margin")
    if options.video:
        document["output"] = {"video": _video(options, job_id)}
    elif options.crf is not None or options.preset:
        raise UsageError("--crf and --preset are for a video: add --video NAME")
    if options.sampling == "adaptive":
        document["sampling"] = {"mode": "adaptive"}
    networks = _given(options, "detector", "recognizer")
    if options.accept_licence:
        networks["accept_licence"] = True
    if networks:
        document["networks"] = networks
    document |= {"verification": options.verify, "on_failure": options.on_failure}
    if options.delete_features:
        document["retention"] = {"delete_features": True}
    return document


def _selection(
    options: Namespace, job_id: str, brought: UploadNote, photos: Iterable[str]
) -> dict[str, Any]:
    mode = mode_of(options) or "all"
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
    return selection | _given(options, "accept", "uncertain")


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _video(options: Namespace, job_id: str) -> dict[str, Any]:
    name = options.video if Path(options.video).suffix else options.video + VIDEO_SUFFIX
    return {"key": f"{job_prefix(job_id)}{name}"} | _given(options, "crf", "preset")


def _given(options: Namespace, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}
