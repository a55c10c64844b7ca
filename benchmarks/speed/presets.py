"""What does each preset of the encoders cost, and what does it buy at the same size?

    python -m benchmarks.speed.presets [report.md]

Each preset encodes the frames of a clip at a few quality settings, as the command does, without
sound. A curve of noise over size through these points tells what a preset has at the size that the
default preset has at the default quality, so that presets are compared at equal size. Similarity
is the mean SSIM over luma and chroma of FFmpeg's `ssim` filter. Processor time is that of the
encoder alone, with as many threads as the command takes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import av
import numpy as np
from av.filter import Graph

from benchmarks.report import machine, publish, table
from benchmarks.speed.whole_command import HAMILTON, make_street
from benchmarks.timing import in_own_process
from faceveil.media.frames import EncodeOptions
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink

QUALITIES = (14.0, 18.0, 23.0)
"""The constant rate factors that each preset is measured at; the middle one is the default."""
TOLERANCE = 0.002
PRESETS = {
    "h264": ("ultrafast", "superfast", "veryfast", "faster", "medium"),
    "hevc": ("ultrafast", "superfast", "veryfast"),
    "av1": ("ultrafast", "superfast", "veryfast", "faster"),
}
ENDING = {"h264": ".mp4", "hevc": ".mp4", "av1": ".webm"}


@dataclass(frozen=True)
class Point:
    """A clip encoded once: processor seconds of the encoder, bytes, mean SSIM."""

    seconds: float
    size: int
    similarity: float


def encode(clip: Path, target: Path, options: EncodeOptions) -> Point:
    """Encode the frames of a clip, decoded before, and compare the output with them."""
    source = VideoSource(clip)
    frames = [frame.copy() for frame in source]
    start = process_time()
    with VideoSink(target, source, options) as sink:
        for frame in frames:
            sink.write(frame, False)
    seconds = process_time() - start
    similarity = ssim([frame.stored() for frame in frames], target, target.with_suffix(".log"))
    return Point(seconds, target.stat().st_size, similarity)


def ssim(originals: Sequence[av.VideoFrame], encoded: Path, log: Path) -> float:
    """The mean SSIM of a video to the frames it was made from."""
    graph = Graph()
    first = originals[0]
    inputs = [
        graph.add_buffer(
            width=first.width,
            height=first.height,
            format=first.format,
            time_base=first.time_base,
        )
        for _ in range(2)
    ]
    compare, end = graph.add("ssim", f"stats_file={log}"), graph.add("buffersink")
    for index, each in enumerate(inputs):
        each.link_to(compare, 0, index)
    compare.link_to(end)
    graph.configure()
    with av.open(str(encoded)) as container:
        decoded: Iterable[av.VideoFrame] = container.decode(video=0)
        for number, pair in enumerate(zip(originals, decoded, strict=True)):
            for buffer, frame in zip(inputs, pair, strict=True):
                frame.pts, frame.time_base = number, first.time_base
                buffer.push(frame)
            end.pull()
    del graph, compare, end, inputs  # closes the log
    rows = [line.split("All:")[1].split()[0] for line in log.read_text().splitlines()]
    return float(np.mean([float(row) for row in rows]))


def at_size(points: Sequence[Point], size: int) -> float:
    """SSIM at a size, on a curve of log (1 - SSIM) over the logarithm of the size."""
    sizes = np.log([point.size for point in points])
    noise = np.log([1 - point.similarity for point in points])
    slopes = np.polyfit(sizes, noise, min(2, len(points) - 1))
    return float(1 - np.exp(np.polyval(slopes, np.log(size))))


def at_similarity(points: Sequence[Point], similarity: float) -> float:
    """The size in bytes at an SSIM, on the curve of the same points."""
    sizes = np.log([point.size for point in points])
    noise = np.log([1 - point.similarity for point in points])
    slopes = np.polyfit(noise, sizes, min(2, len(points) - 1))
    return float(np.exp(np.polyval(slopes, np.log(1 - similarity))))


def measure(clip: Path, scratch: Path, codec: str) -> dict[str, dict[float, Point]]:
    """The points of each preset of a codec, by quality."""
    target = scratch / f"out{ENDING[codec]}"
    return {
        preset: {
            quality: in_own_process(
                encode,
                clip,
                target,
                EncodeOptions(codec=codec, preset=preset, crf=quality, audio="drop"),
            )
            for quality in QUALITIES
        }
        for preset in PRESETS[codec]
    }


def rows(
    frames: int, presets: Mapping[str, Mapping[float, Point]]
) -> list[tuple[str, str, str, str, str, str]]:
    default, quality = EncodeOptions().preset, EncodeOptions().crf
    reference = presets[default][quality]
    return [
        (
            f"{preset} (default)" if preset == default else preset,
            f"{points[quality].seconds / frames * 1e3:.1f}",
            f"{points[quality].size / 1e6:.2f}",
            f"{points[quality].similarity:.4f}",
            f"{at_size([*points.values()], reference.size):.4f}",
            f"{at_similarity([*points.values()], reference.similarity) / reference.size - 1:+.0%}",
        )
        for preset, points in presets.items()
    ]


def report() -> str:
    lines = [
        "# Presets of the encoders",
        "",
        "`python -m benchmarks presets`: the encoder alone, at crf 18 unless another is named. "
        "The last two columns lie on a curve through crf 14, 18 and 23.",
        "",
        "The default is the fastest preset of H.264 whose SSIM at equal size is less than "
        f"{TOLERANCE} below that of the next slower one.",
        "",
        machine(),
    ]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        street = scratch / "street.mp4"
        in_own_process(make_street, street)
        for title, clip in {"640x360": HAMILTON, "1920x1080": street}.items():
            frames = VideoSource(clip).frame_count or 1
            for codec in PRESETS:
                columns = (
                    "preset",
                    "processor ms a frame",
                    "MB",
                    "SSIM",
                    "SSIM at the default's size",
                    "size at the default's SSIM",
                )
                lines += ["", f"## {codec}, {title}", ""]
                lines += table(columns, rows(frames, measure(clip, scratch, codec)))
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    publish(report)
