"""Where does the time of the whole command go, and what does each step to make it faster gain?

    python -m benchmarks.speed.stages [report.md]

Tracking and verification are included. Stages do not count what they call of other stages.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from time import process_time
from unittest.mock import patch

import cv2

from benchmarks.report import machine, publish, table
from benchmarks.speed.steps import ADAPTIVE, Profile, Way, steps_table
from benchmarks.speed.whole_command import make_clips, make_street
from benchmarks.timing import StageClock, in_own_process, one_at_a_time
from faceveil import finding, pipeline, rendering, veiling
from faceveil.assure import verify as verify_module
from faceveil.assure.traces import TraceLog
from faceveil.detect import analyzer as analyzer_module
from faceveil.detect.arcface import ArcFace
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.detect.centerface import CenterFace
from faceveil.detect.mtcnn import MTCNN
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.thorough import ThoroughCenterFace
from faceveil.faces import Floats, Image
from faceveil.media import reduced
from faceveil.media import video as video_module
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.frames import EncodeOptions
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink
from faceveil.media.writer import VideoWriter
from faceveil.sampling import detection as detection_module
from faceveil.shots.transitions import TransitionDetector
from faceveil.tracking import track as track_module

DECODE = "decode"
STAGES = (
    ("to RGB", DecodedFrame, "rgb"),
    ("thumbnails of frames", detection_module, "thumbnail"),
    ("thumbnails of frames", reduced, "grey"),
    ("halve, thumbnail", Pyramid, "__init__"),
    ("halve, thumbnail", Pyramid, "thumbnail"),
    ("detect, MTCNN", MTCNN, "detect_in"),
    ("detect, CenterFace", CenterFace, "detect_in"),
    ("detect, second look", ThoroughCenterFace, "_closer"),
    ("recognise: align", analyzer_module, "aligned"),
    ("recognise: ArcFace", ArcFace, "features"),
    ("follow: shots", TransitionDetector, "push"),
    ("follow: match", finding.SequenceBuilder, "push"),
    ("follow: join, fill, extend, smooth", finding, "finish_sequences"),
    ("track by pixels", track_module, "follow_box"),
    ("decide who is who", pipeline, "cluster"),
    ("decide who is who", pipeline, "decide_sequences"),
    ("copy the frame to write to", DecodedFrame, "planes"),
    ("veil", veiling, "veil_frame_of"),
    ("trace of veils, for verification", TraceLog, "add"),
    ("encode", VideoWriter, "write"),
    ("verify: compare by pixels", verify_module._FrameCheck, "_compare"),
    ("verify: judge what is detected", verify_module._FrameCheck, "_look"),
)


COUNTS: dict[str, Callable[[Profile], int]] = {
    "frames in which faces were detected": lambda profile: profile.looked_at,
    "frames decoded": lambda profile: profile.decoded,
    "faces recognised": lambda profile: profile.recognised,
}


def stages(clip: Path, target: Path, way: Way) -> Profile:
    """The profile of `faceveil veil clip target`, run that way."""
    cv2.setNumThreads(1)
    clock = StageClock()
    analyzer = build_analyzer(
        AnalyzerOptions(engine=way.engine, everyone_veiled=way.sampling is None)
    )
    recognised = 0
    features = ArcFace.features

    def counted(self: ArcFace, crops: Image) -> Floats:
        nonlocal recognised
        recognised += len(crops)
        return features(self, crops)

    with ExitStack() as stack:
        stack.enter_context(patch.object(ArcFace, "features", counted))
        stack.enter_context(patch.object(video_module, "automatic_threads", lambda: 1))
        stack.enter_context(clock.generator(DECODE, VideoSource, "_decode"))
        for label, owner, name in STAGES:
            stack.enter_context(clock.function(label, owner, name))
        stack.enter_context(one_at_a_time())
        stack.enter_context(way.taken())
        start = process_time()
        source = VideoSource(clip)
        found = finding.analyse(
            source,
            analyzer,
            sampling=way.sampling,
            recognise_all=way.recognises_all,
            workers=1,
        )
        analysis = pipeline.decide(found, source)
        sink = VideoSink(target, source, EncodeOptions(threads=1))
        rendering.render(source, analysis, sink, workers=1)
        total = process_time() - start
    spent = {label: clock.spent[label] for label in (DECODE, *(label for label, *_ in STAGES))}
    spent["the rest"] = total - sum(spent.values())
    return Profile(
        {**spent, "all": total},
        found.frame_count,
        found.analysed_frames,
        clock.calls[DECODE],
        recognised,
    )


def report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        profiles = {
            f"{title}, {name}": in_own_process(stages, clip, scratch / "out.mp4", way)
            for title, clip in make_clips(scratch).items()
            for name, way in (("every frame", Way()), ("adaptive", Way(sampling=ADAPTIVE)))
        }
        steps = steps_table(lambda way: profile_of_street(scratch, way))
    return "\n".join(
        [
            "# Where the time of the whole command goes",
            "",
            "`python -m benchmarks.speed.stages`: processor milliseconds per frame of the default "
            "command, verification included, with one worker and one thread for each library (the "
            "command itself analyses as many frames at once as there are cores). Starting Python "
            "and loading libraries and networks comes on top, once.",
            "",
            machine(),
            "",
            *table(("stage", *profiles), _time_rows(profiles)),
            "",
            *table(("per frame of the video", *profiles), _count_rows(profiles)),
            "",
            "Frames a second of one core: "
            + "; ".join(f"{name} {_rate(profile):.1f}" for name, profile in profiles.items())
            + ".",
            "",
            "The next bottleneck is the largest stage: "
            + "; ".join(f"{name}: {_largest(profile)}" for name, profile in profiles.items())
            + ".",
            "",
            *steps,
        ]
    )


def profile_of_street(scratch: Path, way: Way) -> Profile:
    """The profile of one pass of the street clip, made when first needed."""
    clip = scratch / "steps.mp4"
    if not clip.exists():
        in_own_process(make_street, clip)
    profile: Profile = in_own_process(stages, clip, scratch / "out.mp4", way)
    return profile


def _rate(profile: Profile) -> float:
    return profile.frames / profile.spent["all"]


def _largest(profile: Profile) -> str:
    """The stage that takes most, "the rest" and "all" not being stages."""
    share, name = max(
        (seconds, name)
        for name, seconds in profile.spent.items()
        if name not in {"the rest", "all"}
    )
    return f"{name} ({share / profile.spent['all']:.0%})"


def _time_rows(profiles: Mapping[str, Profile]) -> list[tuple[str, ...]]:
    return [
        (
            stage,
            *(
                f"{p.spent[stage] / p.frames * 1e3:.1f} ({p.spent[stage] / p.spent['all']:.0%})"
                for p in profiles.values()
            ),
        )
        for stage in next(iter(profiles.values())).spent
    ]


def _count_rows(profiles: Mapping[str, Profile]) -> list[tuple[str, ...]]:
    return [
        (label, *(f"{count(profile) / profile.frames:.2f}" for profile in profiles.values()))
        for label, count in COUNTS.items()
    ]


if __name__ == "__main__":
    publish(report)
