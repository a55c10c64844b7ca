"""From what is known of a window to the veils of its frames, by the stages of the offline path."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceveil.assure.coverage import check_coverage
from faceveil.faces import FaceSequence, FrameFaces, Ints
from faceveil.finding import Found, connect
from faceveil.identity.select import Selection, decide_sequences
from faceveil.live.choices import Choices
from faceveil.live.following import FollowMemory, WindowTracker
from faceveil.live.foreground import Foreground
from faceveil.live.gallery import Gallery
from faceveil.live.options import LiveOptions
from faceveil.live.scene import Decided, Scene
from faceveil.live.tracks import Tracks
from faceveil.live.window import Columns, LiveFrame
from faceveil.sampling.adaptive import SampledFrame
from faceveil.veils.kinds import veil_planned
from faceveil.veils.plan import VeilPlan, seed_of
from faceveil.veils.render import veil_whole
from faceveil.veils.styles import VeilStyle

MOST_SECONDS_UNSEEN = 0.5
"""A frame is ready only where the looks before and after it are no further apart: a face could
otherwise come and go unseen."""
CHANGE_SECONDS = 1.0
"""How long a decision to keep a face that was veiled must hold before the face becomes visible."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowPlan:
    """The veils of some frames of a window.

    Attributes
    ----------
    first
        The frame that the plan counts as 0.
    stop
        The plan holds for the frames before this one.
    veils
        What is veiled on each frame.
    ready : ndarray of bool [n]
        Which of the frames from `first` on are ready.
    style
        What the veils look like.
    last_look
        The last frame in which faces were detected, -1 for none.
    people
        How many people are remembered.
    decided
        What was decided about the faces of the window.
    """

    first: int
    stop: int
    last_look: int
    veils: VeilPlan
    ready: NDArray[np.bool_]
    style: VeilStyle
    people: int
    decided: Decided

    def is_ready(self, number: int) -> bool:
        """Whether enough is known to show the frame, veiled."""
        row = number - self.first
        return 0 <= row < len(self.ready) and bool(self.ready[row])

    def veil(self, frame: LiveFrame) -> tuple[int, int, bool]:
        """Veil a frame in place; returns how many faces are veiled and kept, and whether it is
        veiled whole."""
        row = frame.number - self.first
        planes = frame.picture.planes()
        if self.veils.whole(row):
            veil_whole(planes, self.veils.whole_seed, self.style)
            return 0, 0, True
        planned = self.veils.at(row)
        if len(planned):
            veil_planned(planes, planned, self.style)
        return len(planned), len(planned.kept), False

    def scene(self, number: int) -> Scene:
        """The faces of a frame, and what was decided about them."""
        return self.decided.at(number - self.first)


class Planner:
    """Makes the plan of one window after another.

    Parameters
    ----------
    options
        How the stream is veiled.
    selection
        Who stays visible; by default no one.
    choices
        Who was kept or veiled by a click since.
    """

    def __init__(
        self,
        options: LiveOptions,
        selection: Selection | None = None,
        choices: Choices | None = None,
    ) -> None:
        self._options = options
        self._selection = selection or Selection()
        self._choices = choices or Choices()
        self._memory = FollowMemory()
        self._tracks = Tracks()
        self._gallery = Gallery(options.forget)
        self._foreground = Foreground() if options.keep_foreground else None
        self._secret = secrets.token_hex()  # noise that can be computed can be removed
        self._veiled_at: dict[int, float] = {}  # when each track of the last window was, last

    def plan(self, columns: Columns, stop: int, now: float) -> WindowPlan:
        """Plan the veils of the frames of a window.

        Parameters
        ----------
        columns
            What is known of the window.
        stop
            The first frame for which another plan will be made.
        now
            The time, for what is forgotten.

        Notes
        -----
        Coverage is checked as offline: a frame with an accepted face that would not lie under its
        veil is veiled whole.
        """
        found = self._follow(columns)
        if found is None:
            decided = Decided((), (), np.zeros(0, bool), ())
            veils = VeilPlan.build([], decided.veiled, secret=self._secret)
        else:
            tracks = self._tracks.number(found, columns.first)
            decided = self._decide(found, tracks, columns, now)
            veils = self._veils(found, tracks, decided.veiled, columns)
        return WindowPlan(
            first=columns.first,
            stop=stop,
            last_look=max(columns.looks, default=-1),
            veils=veils,
            ready=_ready(columns),
            style=self._options.style,
            people=len(self._gallery),
            decided=decided,
        )

    def _veils(
        self, found: Found, tracks: list[int], veiled: NDArray[np.bool_], columns: Columns
    ) -> VeilPlan:
        plan = VeilPlan.build(
            found.sequences,
            veiled,
            secret=self._secret,
            unknown_frames=_unknown(columns, found),
        )
        seeds = np.array([seed_of(self._secret, track) for track in tracks], np.int64)
        plan = replace(plan, seeds=seeds)
        coverage = check_coverage(
            found.detections,
            plan,
            veiled,
            self._options.style,
            width=columns.width,
            height=columns.height,
        )
        whole = np.union1d(plan.whole_frames, coverage.frames)
        return replace(plan, whole_frames=whole.astype(np.int32))

    def _follow(self, columns: Columns) -> Found | None:
        if not columns.looks:
            return None
        self._memory.next_turn()
        tracker = WindowTracker(columns, self._options.tracking, self._memory)
        size = columns.width, columns.height
        return connect(_sampled(columns), self._options.sequences, size, tracker)

    def _decide(self, found: Found, tracks: list[int], columns: Columns, now: float) -> Decided:
        """Which sequences are veiled, and why."""
        recognizer = found.models.recognizer if found.models else None
        people = self._gallery.identify(found.sequences, tracks, recognizer, now)
        chosen = self._choices.of(self._gallery.people)
        kept, reasons = self._kept(found.sequences, people, chosen.kept, columns.first, recognizer)
        if self._foreground is not None:
            kept |= self._in_foreground(found, tracks, columns, reasons)
        by_click = np.isin(people, sorted(chosen.veiled))
        kept &= ~by_click
        # Samples of the first half of the memory are remembered before they are lost.
        self._gallery.remember(
            found.sequences, people, columns.first, (columns.newest - columns.first) // 2
        )
        veiled = np.array(
            [self._is_veiled(*one, now) for one in zip(tracks, kept.tolist(), strict=True)], bool
        )
        self._veiled_at = {track: self._veiled_at.get(track, -np.inf) for track in tracks}
        for row in np.flatnonzero(veiled).tolist():
            if by_click[row]:
                reasons[row] = "veiled by a click"
            elif kept[row]:
                reasons[row] = "becomes visible in a moment"
        return Decided(found.sequences, people, veiled, reasons)

    def _kept(
        self,
        sequences: Sequence[FaceSequence],
        people: Sequence[int],
        clicked: frozenset[int],
        first: int,
        recognizer: str | None,
    ) -> tuple[NDArray[np.bool_], list[str]]:
        """Which sequences the selection and the clicks keep, and the reason for each."""
        selection = self._selection
        if present := sorted(clicked.intersection(people)):
            selection = replace(selection, mode="keep", identities=tuple(present))
        memories, numbers = self._gallery.memories(people, first)
        decisions = decide_sequences(
            [*sequences, *memories],
            np.array([*people, *numbers], np.int32),
            selection,
            recognizer=recognizer,
        )[: len(sequences)]
        kept = np.array([not decision.veil for decision in decisions], bool)
        return kept, [decision.reason for decision in decisions]

    def _in_foreground(
        self, found: Found, tracks: list[int], columns: Columns, reasons: list[str]
    ) -> NDArray[np.bool_]:
        """Which sequences stand in the foreground, which is then their reason."""
        assert self._foreground is not None
        inside = self._foreground.update(
            found.sequences,
            tracks,
            columns.width,
            columns.height,
            columns.rate,
            [number - columns.first for number in columns.looks],
        )
        in_front = np.isin(tracks, sorted(inside))
        for row in np.flatnonzero(in_front).tolist():
            reasons[row] = "stands in the foreground"
        return in_front

    def _is_veiled(self, track: int, keep: bool, now: float) -> bool:
        """Whether a track is veiled now: at once where it must be, visible only after some time."""
        if not keep:
            self._veiled_at[track] = now
            return True
        return now - self._veiled_at.get(track, -np.inf) < CHANGE_SECONDS


def _sampled(columns: Columns) -> Iterator[SampledFrame[int]]:
    """The frames up to the last look, numbered from 0.

    A shot whose first frame was not looked at begins there with no face.
    """
    starts = set(columns.starts.tolist())
    nothing = FrameFaces(columns.width, columns.height)
    for number in range(columns.first, max(columns.looks) + 1):
        is_start = number in starts
        faces = columns.looks.get(number, nothing if is_start else None)
        yield SampledFrame(number - columns.first, is_start, faces)


def _shot_of(columns: Columns, numbers: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.searchsorted(columns.starts, numbers, side="right")


def _ready(columns: Columns) -> NDArray[np.bool_]:
    """Which frames from the first on have looks near enough on both sides, bool [n]."""
    numbers = np.arange(columns.first, columns.newest + 1)
    looks = np.array(sorted(columns.looks), np.int64)
    if not len(looks):
        return np.zeros(len(numbers), bool)
    after = np.searchsorted(looks, numbers)
    before = np.maximum(np.searchsorted(looks, numbers, side="right") - 1, 0)
    is_between = (after < len(looks)) & (looks[before] <= numbers)
    gap = looks[np.minimum(after, len(looks) - 1)] - looks[before]
    return np.asarray(is_between & (gap <= MOST_SECONDS_UNSEEN * columns.rate + 1))


def _unknown(columns: Columns, found: Found) -> Ints:
    """The frames of shots without a look, and those that could not be analysed."""
    numbers = np.arange(columns.first, columns.newest + 1)
    looked = _shot_of(columns, np.array(sorted(columns.looks), np.int64))
    unseen = ~np.isin(_shot_of(columns, numbers), looked)
    return np.union1d(np.flatnonzero(unseen), found.unknown_frames).astype(np.int32)
