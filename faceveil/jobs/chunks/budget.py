"""Does a job fit into a function, or does it go to AWS Batch?

The figures are guesses on the safe side: half of the time must be left over by them, and what
proves slower than guessed is handed over between two chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faceveil.analysis import SourceInfo
from faceveil.jobs.job_folder import frames_of
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.steps.analyse import Analysed
from faceveil.media.s3_frames import MEMORY

MIB = 1 << 20
BASE_MEMORY = 700 * MIB
"""Python, its libraries and the networks of verification."""
SECONDS_PER_MEGAPIXEL = 0.2
"""To read, veil, write and verify one megapixel of a frame, on one of a function's cores."""
ANSWERS_PER_SECOND = 200.0
"""Detections that a function reads from S3 and follows (benchmarks/reports/long_job.md)."""
SECONDS_PER_FRAME = 0.02
"""Requests to S3, several at a time."""
ENCODE_SECONDS_PER_MEGAPIXEL = 0.05
VIDEO_BYTES_PER_PIXEL = 0.05
SPARE = 0.5
"""Share of the time that must be left over by the guess."""
_FRAMES_HELD = 16
_SAMPLE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Budget:
    """What a function may use: seconds until it is ended, bytes of memory and of scratch space."""

    seconds_left: Callable[[], float]
    memory: int
    scratch: int

    def fits(self, run: JobRun, analysed: Analysed) -> bool:
        """Whether to render all here."""
        source = analysed.analysis.source
        pixels = source.width * source.height
        memory = BASE_MEMORY + 2 * min(MEMORY, _FRAMES_HELD * _SAMPLE_BYTES * pixels)
        return (
            memory <= self.memory
            and self._seconds(run, analysed) <= self.seconds_left() * SPARE
            and self.can_finish(run, analysed)
        )

    def has_time_to_analyse(self, run: JobRun) -> bool:
        """Whether the detections of all frames can be read and followed here."""
        frames, most = 0, self.seconds_left() * SPARE * ANSWERS_PER_SECOND
        for page in frames_of(run.bucket, run.job).pages():
            frames += len(page)
            if frames > most:
                return False
        return True

    def has_time_for(self, seconds: float) -> bool:
        """Whether something that took so long before can be done once more, and wound up."""
        return seconds <= self.seconds_left() * SPARE

    def can_finish(self, run: JobRun, analysed: Analysed) -> bool:
        """Whether there is time and room to put the video together, where one is asked for."""
        if run.job.video is None:
            return True
        source = analysed.analysis.source
        pixels = source.width * source.height * source.frame_count
        room = pixels * VIDEO_BYTES_PER_PIXEL
        if run.job.source_video is not None:
            found = run.bucket.find(run.job.source_video)
            room += 2 * found.size if found else 0
        seconds = encode_seconds(source)
        return room <= self.scratch and seconds <= self.seconds_left() * SPARE

    def _seconds(self, run: JobRun, analysed: Analysed) -> float:
        source = analysed.analysis.source
        per_frame = source.width * source.height / 1e6 * SECONDS_PER_MEGAPIXEL + SECONDS_PER_FRAME
        return per_frame * source.frame_count


def encode_seconds(source: SourceInfo) -> float:
    """Seconds that putting the video of a source together takes, guessed on the safe side."""
    pixels = source.width * source.height * source.frame_count
    return pixels / 1e6 * ENCODE_SECONDS_PER_MEGAPIXEL
