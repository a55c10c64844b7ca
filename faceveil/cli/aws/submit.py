"""`faceveil aws submit`: write job.json, which starts the job."""

from __future__ import annotations

import argparse
import difflib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import (
    add_deployment,
    add_dry_run,
    checked_id,
    client_of,
    instances_of,
    own_frames,
)
from faceveil.cli.aws.job_document import VIDEO_SUFFIX, job_document
from faceveil.cli.finding_arguments import add_also, add_regions, add_selection
from faceveil.cli.output_arguments import add_on_violation, add_quality, add_style
from faceveil.errors import InputError, UsageError

if TYPE_CHECKING:
    from faceveil.aws.s3 import S3Location
    from faceveil.corrections.document import Corrections
    from faceveil.jobs.client import JobClient
    from faceveil.jobs.upload_note import UploadNote

DESCRIPTION = """\
Write job.json, which starts the job whose frames were uploaded under this id.

  faceveil aws submit talk-1                                  veil everyone
  faceveil aws submit talk-1 --keep "Ann Lee"                 all but a person of `upload --person`
  faceveil aws submit talk-1 --only photos/witness/           uploads photos of this machine
  faceveil aws submit talk-1 --keep-at 1500:640,300 --video talk.mp4
  faceveil aws submit talk-1 --frames archive/talk-1/ --rate 25     frames not sent by `upload`
  faceveil aws submit talk-1 --corrections talk.corrections.json    with what a person changed
  faceveil aws submit talk-1 --frames s3://news-raw/talk-1/    of another account, read in place
  faceveil aws submit talk-1 --as processing --instance-count 4     in Processing jobs alone

Submitting the same job again changes nothing; a different job under the same id is refused.

--as says what runs the job:

  transform    (default) a transform job detects, then Lambda or AWS Batch render. It costs least
               and divides long videos best, and other jobs can use its detections.
  processing   SageMaker Processing jobs do all of it, as in the thesis. Choose it where faces are
               also to be followed by their pixels, as on a desk (a transform's answers hold no
               pixels), or where the machines that see frames must have no network. Each instance
               needs room for all frames; one job detects and one renders, and each takes minutes
               to start.

The result is the same but for what following by pixels adds, and so are `watch`, `stop`,
`download`, `cleanup` and the events.
"""

_VIDEOS = (VIDEO_SUFFIX, ".avi", ".m4v", ".mkv", ".mov", ".mpg", ".mts", ".mxf", ".ts", ".webm")
_KINDS = {"transform": "transform jobs", "processing": "Processing jobs"}


def add_submit_parser(verbs: Commands) -> None:
    """Add `submit` to the verbs."""
    parser = add_command(
        verbs, "submit", "JOB", "write job.json, which starts the job", DESCRIPTION
    )
    parser.add_argument("job", metavar="JOB", help="the id that the frames were uploaded for")
    group = parser.add_argument_group("frames")
    group.add_argument(
        "--frames",
        metavar="PREFIX",
        help="the prefix of frames that `upload` did not send, or s3://BUCKET/PREFIX in another "
        "bucket that the deployment knows (input_buckets), which are read in place",
    )
    group.add_argument(
        "--rate",
        type=parsing.rate,
        metavar="FPS",
        help="frames per second of these frames: 25 or 30000/1001",
    )
    group.add_argument(
        "--sampling",
        choices=("every", "adaptive"),
        default="every",
        help="analyse every frame (default), or only as many as needed: a few first, and in a "
        "second transform job those between, where they disagree",
    )
    add_selection(parser)
    parser.add_argument(
        "--corrections",
        type=parsing.path,
        metavar="JSON",
        help="what a person changed in these frames, as `faceveil review` saves it: it is uploaded "
        "with the job, and wins over every choice (over detections that exist already: "
        "`faceveil aws render-again`)",
    )
    add_regions(parser)
    group = parser.add_argument_group("output")
    add_style(group)
    group.add_argument("--video", metavar="NAME", help="also make a video, jobs/<id>/NAME.mp4")
    add_quality(group)
    _add_policies(parser)
    _add_networks(parser)
    group = parser.add_argument_group("SageMaker")
    group.add_argument(
        "--as",
        dest="kind",
        choices=("transform", "processing"),
        default="transform",
        help="what runs the job, see above (default: transform)",
    )
    group.add_argument("--instance-type", metavar="TYPE", help="such as ml.c5.xlarge")
    group.add_argument("--instance-count", type=parsing.positive, metavar="N")
    add_deployment(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_submit)


def _add_policies(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("verification and failures")
    group.add_argument(
        "--verify-frames",
        choices=("sampled", "off"),
        default="sampled",
        help="the frames of the output that the networks search for faces: sampled (default: "
        "every 30th, and at least one of each sequence), or off: nothing is verified",
    )
    add_on_violation(group)
    group.add_argument(
        "--on-failure",
        choices=("refuse", "veil_unknown"),
        default="refuse",
        help="when the transform job or a frame fails: refuse (default), or veil the frames whole "
        "that were not analysed",
    )
    group.add_argument(
        "--delete-features",
        action="store_true",
        help="delete the detections, which hold features, when the job has succeeded",
    )


def _add_networks(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("networks", "Default: those of the deployment's model.")
    group.add_argument("--detector", metavar="NAME")
    group.add_argument("--recognizer", metavar="NAME")
    add_also(
        group,
        "what the deployment's model detects beside faces, as its FACEVEIL_ALSO says: the output "
        "is verified with the same files, which the image of the post-processing must hold; "
        "several times",
    )
    group.add_argument("--accept-licence", action="store_true")


def run_submit(options: argparse.Namespace) -> int:
    """`faceveil aws submit`: write job.json, unless something in it does not fit."""
    from faceveil.jobs.corrections import corrections_key
    from faceveil.jobs.job import job_prefix, read_job
    from faceveil.jobs.job_folder import JOB

    job_id = checked_id(options.job)
    client = client_of(options)
    instances = instances_of(options)
    check_instance_type(instances.get("instance_type"), options.kind)
    _check_frames(options)
    brought = _brought(client, job_id, options)
    photos = _photos(brought, job_id, options)
    document = job_document(options, job_id, brought, photos)
    corrections = _corrections(options, brought)
    if corrections is not None:
        document["corrections"] = corrections_key(job_id, corrections)
    if instances or options.kind == "processing":
        document[options.kind] = instances
    content = json.dumps(document, indent=2, ensure_ascii=False).encode()
    folder = client.bucket.folder(job_prefix(job_id))
    read_job(content, str(folder.uri(JOB)))
    if options.dry_run:
        print(f"would write {folder.uri(JOB)}, for {brought.frames} frames:\n{content.decode()}")
        return 0
    is_new = folder.find(JOB) is None
    for name, paths in photos.items():
        for path in paths if is_new else ():
            folder.upload(f"references/{name}/{path.name}", path)
    if corrections is not None:
        client.bring_corrections(job_id, corrections)
    client.submit(content)
    print(f"{folder.uri(JOB)} starts the job, {brought.frames} frames")
    print(f"next: faceveil aws watch {job_id}")
    return 0


def _corrections(options: argparse.Namespace, brought: UploadNote) -> Corrections | None:
    """Read the corrections. Raises InputError where they are of other frames."""
    from faceveil.corrections.document import read_corrections

    if options.corrections is None:
        return None
    corrections = read_corrections(options.corrections)
    try:
        corrections.check_input(brought.digest, brought.frames_prefix, brought.frames)
    except InputError as error:
        if corrections.digest == brought.digest:
            raise
        raise InputError(
            f"{options.corrections}: {error}. A review of a video names the video, not the frames "
            "that were made of it: submit the job, and review it with `faceveil review --job "
            f"{options.job}`"
        ) from error
    return corrections


def check_instance_type(instance_type: str | None, kind: str) -> None:
    """Raise UsageError for a type that such jobs do not run on, without asking AWS.

    kind: "transform" or "processing".
    """
    from faceveil.aws.clients import sagemaker_client
    from faceveil.jobs.transforms.request import vcpus_of

    if instance_type is None:
        return
    shape: Any = sagemaker_client().meta.service_model.shape_for(f"{kind.title()}InstanceType")
    known: list[str] = shape.enum
    if instance_type not in known:
        near = difflib.get_close_matches(instance_type, known, 3) or ["ml.c5.xlarge"]
        raise UsageError(
            f"--instance-type {instance_type}: {_KINDS[kind]} do not run on it; try "
            f"{' or '.join(near)}"
        )
    if kind == "transform":
        vcpus_of(instance_type)


def _check_frames(options: argparse.Namespace) -> None:
    """Raise UsageError for what no job does, with the way that leads there."""
    if options.frames is not None and options.frames.lower().endswith(_VIDEOS):
        raise UsageError(
            f"--frames {options.frames}: a job reads frames, and this is a video: `faceveil aws "
            f"upload FILE --job {options.job}` splits a file of this machine into frames, and "
            "brings its sound and times"
        )
    if options.kind == "processing" and options.sampling == "adaptive":
        raise UsageError(
            "--sampling adaptive: Processing jobs detect in every frame: leave it out, or submit "
            "with --as transform"
        )


def _brought(client: JobClient, job_id: str, options: argparse.Namespace) -> UploadNote:
    """The frames to veil. Raises InputError when some are missing."""
    from faceveil.jobs.upload_note import UploadNote, read_upload_note
    from faceveil.media.s3_keys import list_frames

    note = read_upload_note(client.bucket, job_id)
    rate: Fraction | None = options.rate
    if options.frames is not None:
        place = _named_place(client.bucket, options.frames)
        frames = list_frames(place)
        people = note.people if note else {}
        return UploadNote(len(frames), place.prefix, frames.digest(), rate, people=people)
    place = client.bucket.folder(own_frames(job_id))
    if note is None:
        started = any(place.pages())
        raise InputError(
            f"{place.uri()}: frames of job {job_id} are missing: "
            + ("run the same `faceveil aws upload` again, " if started else "upload them first, ")
            + "or name their prefix with --frames"
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


def _named_place(bucket: S3Location, named: str) -> S3Location:
    """A prefix of the bucket, or of another one."""
    from faceveil.aws.clients import S3Uri, is_s3

    if not is_s3(named):
        return bucket.folder(named)
    uri = S3Uri.parse(named)
    return replace(bucket, bucket=uri.bucket).folder(uri.key)


def _photos(brought: UploadNote, job_id: str, options: argparse.Namespace) -> dict[str, list[Path]]:
    """Photos of this machine that the choice names, by the name of the person."""
    from faceveil.identity.references import photos_by_person

    chosen: list[Path] = options.keep or options.only
    paths = [path for path in chosen if str(path) not in brought.people]
    for path in paths:
        if not path.exists():
            known = ", ".join(brought.people) or "none"
            raise InputError(
                f"{path}: there is no such photo or folder, nor a person of this name among those "
                f"uploaded for {job_id} ({known})"
            )
    people = {name.replace("/", " "): list(p) for name, p in photos_by_person(paths).items()}
    for name in people:
        if name in brought.people:
            raise InputError(
                f"{name}: a person of this name was uploaded for {job_id} already: choose by name"
            )
    return people
