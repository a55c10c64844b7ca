"""Verification as a step of every run: the finished output is checked before it is published."""

from __future__ import annotations

from pathlib import Path

from faceveil.analysis import Analysis
from faceveil.assure.traces import TraceLog
from faceveil.assure.verification import Verification
from faceveil.assure.verify import verify
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.errors import InputError, UsageError, VerificationError
from faceveil.media.frames import LocalSink
from faceveil.media.open import open_source
from faceveil.media.publish import remove
from faceveil.media.video_sink import VideoSink
from faceveil.paths import with_ending
from faceveil.progress import Progress
from faceveil.veils.styles import VeilStyle

UNVERIFIED = ".unverified"


class VerificationStep:
    """Verifies the output of a sink; a bad output is not published under its own name.

    Parameters
    ----------
    analysis : Analysis
    style : VeilStyle
    analyzer : FaceAnalyzer
    every, workers, crops, progress
        As for `verify.verify`.
    accept : bool
        Publish the output under its own name in spite of violations.

    Attributes
    ----------
    traces : TraceLog
        To be filled while rendering.

    Raises
    ------
    UsageError
        When the analyzer cannot recognise the people of the analysis because that was made with
        another recogniser.
    """

    def __init__(
        self,
        analysis: Analysis,
        style: VeilStyle,
        analyzer: FaceAnalyzer,
        *,
        every: int,
        workers: int,
        crops: Path | None = None,
        accept: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.traces = TraceLog(analysis, style)
        self._analysis, self._style, self._analyzer = analysis, style, analyzer
        self._every, self._workers, self._crops = every, workers, crops
        self._accept, self._progress = accept, progress
        check_recognizer(analysis, analyzer)

    def __call__(self, sink: LocalSink) -> Verification:
        """Finish and verify the output of a sink.

        With violations it will be published as NAME.unverified, in place of an older one.

        Raises
        ------
        VerificationError
            When the output cannot be read or does not have the frames of the input; the sink then
            publishes nothing.
        """
        is_stills = self._analysis.source.kind == "stills"
        try:
            verification = verify(
                open_source(sink.finish(), stills=is_stills, recursive=is_stills, gaps=True),
                self._analysis,
                self._analyzer,
                self._style,
                original=self.traces,
                copies=sink.copies if isinstance(sink, VideoSink) else None,
                every=self._every,
                workers=self._workers,
                crops=self._crops,
                progress=self._progress,
            )
        except InputError as error:
            raise VerificationError(
                f"{sink.path}: the output could not be verified, so it was removed ({error})"
            ) from error
        if verification.violations and not self._accept:
            sink.path = with_ending(sink.path, UNVERIFIED)
            remove(sink.path)
        return verification


def check_recognizer(analysis: Analysis, analyzer: FaceAnalyzer) -> None:
    """Raise UsageError when the features of an analysis are not those of the analyzer."""
    if analysis.models is None or not any(len(item.features) for item in analysis.sequences):
        return
    if analysis.models.recognizer != analyzer.models.recognizer:
        raise UsageError(
            f"the people of the analysis were recognised by {analysis.models.recognizer}: verify "
            f"with --recognizer {analysis.models.recognizer}, not {analyzer.models.recognizer}"
        )
