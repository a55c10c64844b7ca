"""`faceveil aws face-search`: analyse a video with Amazon Rekognition."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_overwrite, add_progress
from faceveil.cli.aws.deployment import add_deployment, add_dry_run, client_of
from faceveil.cli.finding_arguments import add_photos
from faceveil.cli.messages import say
from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.media.video import VideoSource
    from faceveil.rekognition.decisions import SearchMode, Wanted
    from faceveil.rekognition.video_analysis import Service

DESCRIPTION = """\
Find and follow the faces of a video with Amazon Rekognition's face search instead of our networks,
and write an analysis that `faceveil render` takes.

  faceveil aws face-search talk.mp4 analysis.json --bucket my-bucket --keep photos/anchor/
  faceveil render talk.mp4 analysis.json out.mp4

During the search, the photos are a collection of faces at Rekognition and the video is an object of
the bucket; both are deleted afterwards, also when the search fails. AWS charges each minute of
video and each photo. Rekognition does not analyse every frame (in AWS's own example two a second):
between those, faces are followed by their pixels, and a face that appears for less may be missed,
so let `render` verify its output, as it does by default.
"""


def add_face_search_parser(verbs: Commands) -> None:
    """Add `face-search` to the verbs."""
    parser = add_command(
        verbs,
        "face-search",
        "VIDEO ANALYSIS --keep PHOTOS",
        "analyse a video with Amazon Rekognition's face search",
        DESCRIPTION,
    )
    parser.add_argument("video", type=parsing.path, help="an .mp4, .mov or .avi file of H.264")
    parser.add_argument("analysis", type=parsing.path, help="the analysis.json to write")
    _add_people(parser)
    add_deployment(parser)
    _add_service(parser)
    parser.add_argument(
        "--tracking",
        choices=("on", "off"),
        default="on",
        help="follow faces by their pixels where Rekognition did not detect them",
    )
    parser.add_argument(
        "--workers", type=parsing.positive, metavar="N", help="default: one per core"
    )
    add_overwrite(parser)
    add_dry_run(parser)
    add_progress(parser)
    parser.set_defaults(func=run_face_search)


def _add_people(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("people")
    add_photos(group, "keep", "leave {} visible")
    add_photos(group, "only", "veil only {}")
    group.add_argument(
        "--min-similarity",
        type=parsing.percent,
        default=95.0,
        metavar="PERCENT",
        help="Rekognition's similarity from which a face matches, in most frames (default 95)",
    )
    group.add_argument(
        "--uncertain-similarity",
        type=parsing.percent,
        default=80.0,
        metavar="PERCENT",
        help="similarity from which a face may match: up to --min-similarity it is veiled and "
        "listed (default 80)",
    )


def _add_service(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Rekognition")
    group.add_argument("--key", help="of the video, if it is in the bucket already")
    group.add_argument(
        "--sns-topic", metavar="ARN", help="also notify this topic when the search has ended"
    )
    group.add_argument(
        "--sns-role", metavar="ARN", help="the role with which Rekognition publishes there"
    )


def run_face_search(options: argparse.Namespace) -> int:
    """`faceveil aws face-search`: search, write the analysis, and say what was found."""
    from faceveil.analysis import write_analysis
    from faceveil.assure.summary import summary
    from faceveil.identity.references import photos_by_person
    from faceveil.paths import check_paths, written_paths
    from faceveil.progress import choose_progress
    from faceveil.rekognition.video_analysis import open_video, search_video
    from faceveil.resources import usable_cores
    from faceveil.tracking.track import TrackOptions

    photos = _photos(options)
    check_paths(
        [options.video, *photos],
        written_paths(analysis=options.analysis),
        overwrite=options.overwrite,
    )
    people = photos_by_person(photos)
    wanted = _wanted(options, tuple(people))
    service = _service(options)
    source = open_video(options.video)
    if options.dry_run:
        print(_plan(source, service, sum(map(len, people.values()))))
        return 0
    analysis = search_video(
        source,
        people,
        service,
        wanted,
        tracking=TrackOptions() if options.tracking == "on" else None,
        workers=options.workers or usable_cores(),
        progress=choose_progress(options.progress, options.quiet),
    )
    write_analysis(analysis, options.analysis)
    say(options, summary(analysis))
    return 0


def _photos(options: argparse.Namespace) -> list[Path]:
    if bool(options.keep) == bool(options.only):
        raise UsageError(
            "name photos of the people to search for with --keep or with --only, not both"
        )
    photos: list[Path] = options.keep or options.only
    return photos


def _wanted(options: argparse.Namespace, names: tuple[str, ...]) -> Wanted:
    from faceveil.rekognition.decisions import Wanted

    mode: SearchMode = "keep" if options.keep else "only"
    return Wanted(names, mode, options.min_similarity / 100, options.uncertain_similarity / 100)


def _service(options: argparse.Namespace) -> Service:
    from faceveil.aws.clients import rekognition_client
    from faceveil.rekognition.search import Channel
    from faceveil.rekognition.video_analysis import Service

    if bool(options.sns_topic) != bool(options.sns_role):
        raise UsageError("--sns-topic and --sns-role go together")
    return Service(
        client=rekognition_client(None),
        bucket=client_of(options).bucket,
        key=options.key,
        channel=Channel(options.sns_topic, options.sns_role) if options.sns_topic else None,
    )


def _plan(source: VideoSource, service: Service, photos: int) -> str:
    from faceveil.rekognition.video_analysis import PREFIX

    megabytes = source.path.stat().st_size / 1e6
    place = service.bucket.uri(service.key or PREFIX)
    length = "of unknown length"
    if source.frame_count and source.rate:
        length = f"of {float(source.frame_count / source.rate) / 60:.1f} minutes"
    return (
        f"would search {source.path}, {length} and {megabytes:.1f} MB, at {place}, for the people "
        f"of {photos} photos in a collection that is deleted afterwards"
    )
