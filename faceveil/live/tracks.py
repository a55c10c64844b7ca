"""Which sequence of one window is which of the next: the number of a track stays the same."""

from __future__ import annotations

from collections import Counter

from faceveil.finding import Found


class Tracks:
    """Numbers the sequences of successive windows, so that one face keeps its number.

    Windows share detections: a sequence has the number that most of its detections had before.
    """

    def __init__(self) -> None:
        self._of_detection: dict[tuple[int, bytes], int] = {}
        self._next = 0

    def number(self, found: Found, first: int) -> list[int]:
        """Return the number of each sequence of a window that begins with the frame `first`."""
        keys = [
            (first + frame, box.tobytes())
            for frame, box in zip(
                found.detections.frames.tolist(), found.detections.boxes, strict=True
            )
        ]
        owners = found.detections.sequence.tolist()
        votes = Counter(
            (self._of_detection[key], owner)
            for key, owner in zip(keys, owners, strict=True)
            if owner >= 0 and key in self._of_detection
        )
        number_of: dict[int, int] = {}
        taken: set[int] = set()
        for (track, owner), _ in votes.most_common():
            if owner not in number_of and track not in taken:
                number_of[owner] = track
                taken.add(track)
        for owner in range(len(found.sequences)):
            if owner not in number_of:
                number_of[owner] = self._next
                self._next += 1
        self._of_detection = {
            key: number_of[owner] for key, owner in zip(keys, owners, strict=True) if owner >= 0
        }
        return [number_of[owner] for owner in range(len(found.sequences))]
