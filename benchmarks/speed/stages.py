"""Where the time of the default command goes, stage by stage, everything on one thread; tracking
and verification, which read the video once more each, are not in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import process_time

import cv2
from av import VideoFrame
from av.container import InputContainer
from av.video.stream import VideoStream

from benchmarks.timing import clocked
from faceveil import finding, pipeline, veiling
from faceveil.detect import analyzer as analyzer_module
from faceveil.detect.analyzer import AnalyzerOptions, build_analyzer
from faceveil.detect.arcface import ArcFace
from faceveil.detect.centerface import CenterFace
from faceveil.detect.mtcnn import MTCNN
from faceveil.detect.pyramid import Pyramid
from faceveil.faces import FrameFaces
from faceveil.media.frames import EncodeOptions
from faceveil.media.video import DecodedFrame, VideoSource
from faceveil.media.video_sink import VideoSink
from faceveil.shots.transitions import TransitionDetector
from faceveil.veiling import render_frames

STAGES = (
    ("to RGB", DecodedFrame, "rgb"),
    ("halve, thumbnail", Pyramid, "__init__"),
    ("halve, thumbnail", Pyramid, "thumbnail"),
    ("detect, MTCNN", MTCNN, "detect_in"),
    ("detect, CenterFace", CenterFace, "detect_in"),
    ("recognise: align", analyzer_module, "aligned"),
    ("recognise: ArcFace", ArcFace, "features"),
    ("follow: shots", TransitionDetector, "push"),
    ("follow: match", finding.SequenceBuilder, "push"),
    ("follow: join, fill, extend, smooth", finding, "finish_sequences"),
    ("decide who is who", pipeline, "cluster"),
    ("decide who is who", pipeline, "decide_sequences"),
    ("copy the frame to write to", DecodedFrame, "planes"),
    ("veil", veiling, "veil_frame_of"),
    ("encode", VideoSink, "_encode"),
)


def stages(clip: Path, target: Path) -> dict[str, float]:
    """Processor seconds of each stage of `faceveil veil clip target`, and of all of it."""
    cv2.setNumThreads(1)
    source = VideoSource(clip, threads=1)
    analyzer = build_analyzer(AnalyzerOptions())
    spent: dict[str, float] = defaultdict(float)

    # Decoding is a generator: the time between asking for a frame and having it.
    decode = source._decode

    def decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        frames = decode(container, stream)
        while True:
            start = process_time()
            frame = next(frames, None)
            spent["decode, twice"] += process_time() - start
            if frame is None:
                return
            yield frame

    source._decode = decoded  # type: ignore[method-assign]

    def faces() -> Iterator[tuple[int, FrameFaces]]:
        for frame in source:
            yield frame.number, analyzer(frame.rgb())

    with ExitStack() as stack:
        for label, owner, name in STAGES:
            stack.enter_context(clocked(spent, label, owner, name))
        start = process_time()
        found = finding.follow(faces(), size=(source.width, source.height))
        analysis = pipeline.decide(found, source)
        with VideoSink(target, source, EncodeOptions(threads=1)) as sink:
            render_frames(source, analysis, sink)
        total = process_time() - start
    return {**spent, "the rest": total - sum(spent.values()), "all": total}
