"""What a user asks for: people by photos, points or identity numbers, and times.

A request can be checked before any network is opened; with an analyzer it becomes a `Selection`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from faceveil.decisions import Mode, Point
from faceveil.errors import UsageError
from faceveil.faces import FrameFaces, Image
from faceveil.frame_range import FrameRange
from faceveil.identity.references import load_references
from faceveil.identity.select import Selection


class TimeSpan(NamedTuple):
    """Seconds of a video from `start` up to, not including, `end`."""

    start: Fraction
    end: Fraction


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """Whom to veil: everyone, unless the request names who stays visible or who alone is veiled.

    Parameters
    ----------
    keep, only
        Photos, or folders of photos, of the people who stay visible, or who alone are veiled.
    keep_at, only_at
        Places at which such a person is seen.
    keep_identity, only_identity
        Identity numbers of such people.
    nobody
        Whether everyone stays visible.
    between
        When the request counts; everyone is veiled outside. Without any, it counts always.
    accept, uncertain
        The cosines from which a face matches a photo, and from which it may match (and is veiled
        and listed); None takes those of the recogniser.

    Raises
    ------
    UsageError
        Where the request contradicts itself.
    """

    keep: tuple[Path, ...] = ()
    only: tuple[Path, ...] = ()
    keep_at: tuple[Point, ...] = ()
    only_at: tuple[Point, ...] = ()
    keep_identity: tuple[int, ...] = ()
    only_identity: tuple[int, ...] = ()
    nobody: bool = False
    between: tuple[FrameRange | TimeSpan, ...] = ()
    accept: float | None = None
    uncertain: float | None = None

    def __post_init__(self) -> None:
        if self._keeps + self._selects + self.nobody > 1:
            raise UsageError("choose one: keep… (all but these), only… (these), or nobody")
        if self.between and self.mode == "all":
            raise UsageError("between limits a choice: add keep…, only… or nobody")

    @property
    def _keeps(self) -> bool:
        return bool(self.keep or self.keep_at or self.keep_identity)

    @property
    def _selects(self) -> bool:
        return bool(self.only or self.only_at or self.only_identity)

    @property
    def mode(self) -> Mode:
        """Who is veiled."""
        if self._keeps:
            return "keep"
        if self._selects:
            return "only"
        return "none" if self.nobody else "all"

    @property
    def photos(self) -> tuple[Path, ...]:
        """The photos and folders of photos that the request names."""
        return self.keep or self.only

    def resolve(
        self,
        analyzer: Callable[[Image], FrameFaces] | None,
        rate: Fraction | None,
    ) -> Selection:
        """Return the selection that the request asks for.

        Parameters
        ----------
        analyzer
            Detects and recognises the faces of the photos, RGB uint8 [H, W, 3]; needed only where
            the request names photos.
        rate
            Frames per second of the input, for times in seconds; None for pictures.

        Raises
        ------
        InputError
            For a photo that cannot be used.
        UsageError
            For photos without an analyzer, and seconds of pictures.
        """
        references = None
        if self.photos:
            if analyzer is None:
                raise UsageError(
                    "choosing by photo needs a recogniser: name one with --recognizer, or choose "
                    "by point or identity"
                )
            references = load_references(self.photos, analyzer)
        return Selection(
            mode=self.mode,
            references=references,
            points=self.keep_at or self.only_at,
            identities=self.keep_identity or self.only_identity,
            accept=self.accept,
            uncertain=self.uncertain,
            times=tuple(_frame_range(span, rate) for span in self.between),
        )


def _frame_range(span: FrameRange | TimeSpan, rate: Fraction | None) -> FrameRange:
    if isinstance(span, FrameRange):
        return span
    if rate is None:
        raise UsageError("pictures have no times: name frames, such as 300-600")
    return FrameRange.of_seconds(span.start, span.end, rate)
