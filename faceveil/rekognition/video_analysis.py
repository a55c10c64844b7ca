"""A video analysed by Rekognition's face search instead of our networks (the thesis's other path).

Its answers become facial sequences, which are then filled, followed by their pixels, smoothed and
veiled like all others. Rekognition does not analyse every frame (in AWS's documented example two a
second): a face that is there for less may be missed, which verification of the output detects.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faceveil import finding, pipeline
from faceveil.analysis import Analysis
from faceveil.aws.clients import S3Uri
from faceveil.aws.s3 import S3Location
from faceveil.decisions import SelectionRecord
from faceveil.errors import InputError, UsageError
from faceveil.faces import Models
from faceveil.media.orientation import UPRIGHT
from faceveil.media.reduced import thumbnail
from faceveil.media.video import VideoSource
from faceveil.parallel import ordered_map
from faceveil.progress import Progress, QuietProgress
from faceveil.rekognition.collection import reference_collection
from faceveil.rekognition.decisions import Wanted, decide_by_similarity
from faceveil.rekognition.search import Channel, FaceSearch
from faceveil.rekognition.sightings import Sightings, read_sightings
from faceveil.rekognition.tracks import Timeline, track
from faceveil.rekognition.undo import undone_afterwards
from faceveil.sequence.finish import finish_sequences
from faceveil.sequence.options import SequenceOptions
from faceveil.shots.transitions import Shots, TransitionDetector, mark_shots
from faceveil.shots.transnet import TransNet
from faceveil.tracking.pixel_tracker import PixelTracker
from faceveil.tracking.track import TrackOptions

if TYPE_CHECKING:
    from types_boto3_rekognition import RekognitionClient

PREFIX = "face-search/"
"""Where in a bucket videos lie while they are searched."""
SUFFIXES = (".mp4", ".mov", ".avi")


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """With what a video is searched: a client of Rekognition and, in the same region, a bucket.

    key: of the video, where it lies there already; else it is put there and deleted afterwards.
    """

    client: RekognitionClient
    bucket: S3Location
    key: str | None = None
    channel: Channel | None = None


def open_video(path: Path) -> VideoSource:
    """The video to search. Raises UsageError and InputError for what Rekognition cannot take."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: Rekognition searches {', '.join(SUFFIXES)} files only")
    source = VideoSource(path)
    if source.layout.orientation != UPRIGHT:
        raise InputError(
            f"{path}: is stored turned, and Rekognition does not document how it sees such videos: "
            "store it upright first, or use the networks of faceveil"
        )
    return source


def search_video(
    source: VideoSource,
    people: Mapping[str, Sequence[Path]],
    service: Service,
    wanted: Wanted,
    options: SequenceOptions | None = None,
    *,
    shots: Shots | None = None,
    tracking: TrackOptions | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Analysis:
    """Search a video for the people in photos, and decide who is veiled.

    people: photos of each person, in the order of `wanted.names`. Whatever was put into AWS for the
    search, the collection of faces above all, is deleted again, also when something fails. Raises
    InputError where the video, a photo or the answers cannot be used, OutputError where AWS cannot
    be written to.
    """
    progress = progress or QuietProgress()
    options = options or SequenceOptions()
    timeline = scan(source, shots or TransitionDetector(TransNet()), workers, progress)
    name = f"faceveil-{uuid.uuid4().hex}"
    with (
        _uploaded(source.path, service, name) as video,
        reference_collection(service.client, name, people) as version,
    ):
        least = 100 * wanted.possible_similarity
        search = FaceSearch(service.client, name, video, name, least, service.channel)
        looks = read_sightings(search.run(progress), len(people))
    _check_size(looks, source, video)
    tracker = None if tracking is None else PixelTracker(source, tracking, workers, progress)
    return sequences_of(source, timeline, looks, wanted, options, version, tracker)


def scan(source: VideoSource, shots: Shots, workers: int, progress: Progress) -> Timeline:
    """When the frames are shown and where shots start, in one pass over the video.

    Raises InputError for a damaged video: its frames would not be those that Rekognition sees.
    """
    times: list[float] = []
    starts = [0]
    with progress.stage("shots", source.frame_count) as stage:
        small = ordered_map(lambda frame: (frame.time, thumbnail(frame)), source, workers)
        for number, (time, new_shot) in enumerate(mark_shots(small, shots)):
            times.append(float(1000 * time))
            if new_shot and number:
                starts.append(number)
            stage.advance()
    if source.problems:
        problem = source.problems[0]
        raise InputError(
            f"{source.path}: {problem.where}: {problem.message}; repair the video first, so that "
            "Rekognition sees the same frames"
        )
    return Timeline(np.array(times) - times[0], np.array(starts, np.int32))


def sequences_of(
    source: VideoSource,
    timeline: Timeline,
    looks: Sightings,
    wanted: Wanted,
    options: SequenceOptions,
    version: str,
    tracker: PixelTracker | None,
) -> Analysis:
    """What a search saw, followed through its shots and decided upon.

    Sequences are extended at least to where Rekognition looked next and did not see the face, and
    never joined: who is the same person, Rekognition said. version: of its face model.
    """
    size, frame_count = (source.width, source.height), len(timeline.times)
    tracks = track(looks, timeline, size, options.max_gap)
    options = replace(options, join_gap=0, extension=max(options.extension, tracks.interval))
    every = np.ones(frame_count, np.bool_)
    looked_at = np.zeros(frame_count, np.bool_)
    looked_at[tracks.built.detections.frames] = True
    sequences, detections = finish_sequences(
        tracks.built,
        options,
        frame_count,
        *size,
        track=None if tracker is None else partial(tracker, analysed=every),
        analysed=looked_at,
    )
    digest = hashlib.sha256(version.encode()).hexdigest()
    found = finding.Found(
        frame_count=frame_count,
        analysed_frames=len(np.unique(detections.frames)),
        models=Models("rekognition-video", "rekognition-video", f"sha256:{digest}", 0.0),
        shot_starts=timeline.shot_starts,
        unknown_frames=np.zeros(0, np.int32),
        sequences=sequences,
        detections=detections,
    )
    parameters = {
        "face_search": {
            "face_model": version,
            "frames_between_looks": tracks.interval,
            "mode": wanted.mode,
            "people": list(wanted.names),
            "accept": wanted.match_similarity,
            "uncertain": wanted.possible_similarity,
        }
    }
    identities, decisions = decide_by_similarity(sequences, detections.sequence, tracks, wanted)
    analysis = pipeline.decide(found, source, parameters=parameters)
    selection = SelectionRecord(wanted.mode, wanted.names)
    return replace(analysis, identities=identities, decisions=decisions, selection=selection)


@contextmanager
def _uploaded(path: Path, service: Service, name: str) -> Iterator[S3Uri]:
    """Where the video lies in S3 during the block."""
    if service.key is not None:
        stored = service.bucket.find(service.key)
        if stored is None or stored.size != path.stat().st_size:
            what = "there is no such object" if stored is None else "is not this video"
            raise InputError(
                f"{service.bucket.uri(service.key)}: {what}; leave its key out, and {path} is "
                "uploaded for the search"
            )
        yield service.bucket.uri(service.key)
        return
    key = f"{PREFIX}{name}{path.suffix.lower()}"
    with undone_afterwards(lambda: service.bucket.delete([key])):
        service.bucket.upload(key, path)
        yield service.bucket.uri(key)


def _check_size(looks: Sightings, source: VideoSource, video: S3Uri) -> None:
    if looks.size not in (None, (source.width, source.height)):
        raise InputError(
            f"{video}: Rekognition searched a video of {looks.size} pixels, {source.path} has "
            f"{source.width, source.height}: is it another one?"
        )
