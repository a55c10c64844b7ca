"""A review in progress: one analysis, the corrections of it, and what the page asks of both."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from faceveil.analysis import Analysis
from faceveil.assure.verification import Verification
from faceveil.corrections.apply import Applier, Corrected
from faceveil.corrections.document import Corrections, prepare_checks, to_json
from faceveil.corrections.entries import (
    Change,
    Draw,
    Entry,
    Looked,
    Redo,
    Reference,
    Shape,
    Undo,
)
from faceveil.corrections.follow import follow_change
from faceveil.errors import FaceveilError, InputError
from faceveil.faces import Kind
from faceveil.media.frames import FrameSource
from faceveil.media.seeking import open_reader
from faceveil.review.answers import AnswerError
from faceveil.review.changes import change_of
from faceveil.review.columns import SequenceTable
from faceveil.review.events import Events
from faceveil.review.pictures import Pictures
from faceveil.review.preview import FramePlan
from faceveil.review.store import ChangedElsewhereError, CorrectionsStore
from faceveil.review.tasks import Task, Tasks
from faceveil.review.timeline import Timeline
from faceveil.veils.styles import VeilStyle

LOOKED_SECONDS = 2.0
"""What was looked at is written so much later at most: a page reports it all the time."""


@dataclass(frozen=True, eq=False)
class Version:
    """One state of a review. `number` rises with every change."""

    number: int
    corrections: Corrections
    corrected: Corrected
    table: SequenceTable


class Review:
    """One video that is reviewed; safe in any thread.

    Parameters
    ----------
    source
        The frames that were analysed.
    analysis
        What was found in them.
    store
        Keeps the corrections.
    reviewer
        The name that entries get.
    style
        What veils look like.

    Raises
    ------
    InputError
        Where the corrections are of another video, or cannot be read.
    """

    def __init__(
        self,
        source: FrameSource,
        analysis: Analysis,
        store: CorrectionsStore,
        *,
        reviewer: str = "",
        style: VeilStyle | None = None,
    ) -> None:
        self.source, self.analysis = source, analysis
        self.reviewer, self.style = reviewer, style or VeilStyle()
        self.frame_count = analysis.source.frame_count
        self.events = Events()
        self.tasks = Tasks(lambda task: self.events.emit("task", task.describe()))
        self.pictures = Pictures(open_reader(source, self.frame_count), self.frame_count)
        self.timeline = Timeline(self.frame_count, lambda: self.events.emit("looked", {}))
        self.verification: Verification | None = None
        self._store = store
        self._applier = Applier(analysis)
        self._lock = threading.RLock()
        self._looked: list[tuple[int, int]] = []
        self._followed: set[str] = set()
        self._is_closing = False
        self._saver = threading.Timer(0, lambda: None)
        self._checker = ThreadPoolExecutor(1, thread_name_prefix="faceveil-digest")
        self._checked: Future[None] = self._checker.submit(self._check_source)
        self._checker.submit(prepare_checks)
        corrections = store.read() or Corrections.of(analysis.source)
        self._table = SequenceTable(analysis, {}, {})
        self.version = self._version_of(1, corrections)
        for span in self.version.corrected.looked:
            self.timeline.looked[span.first : span.end] = True
        self.timeline.renew(self.version.table.analysis, None)
        self._follow_drawn()

    def close(self) -> None:
        """Stop all work, write what is not written yet and close the file of frames."""
        with self._lock:
            if self._is_closing:
                return
            self._is_closing = True
        self._saver.cancel()
        self.tasks.close()
        with self._lock:
            self._save_looked()
        self.timeline.close()
        self.pictures.close()
        self._checker.shutdown(wait=True, cancel_futures=True)
        self._store.close()

    # What the page asks

    def state(self) -> dict[str, Any]:
        """Return everything about the video and the review that is small."""
        source, version = self.analysis.source, self.version
        rate = float(Fraction(source.rate)) if source.rate else 25.0
        unresolved = [text for _, text in version.corrected.unresolved]
        if self._checked.done() and (error := self._checked.exception()) is not None:
            unresolved.insert(0, str(error))
        return {
            "video": {
                "name": source.name,
                "width": source.width,
                "height": source.height,
                "frame_count": source.frame_count,
                "rate": rate,
                "kind": source.kind,
                "digest": source.digest,
            },
            "shots": self.analysis.shot_starts,
            "revision": version.number,
            "can_undo": _last_made(version.corrections) is not None,
            "can_redo": _last_undone(version.corrections) is not None,
            "reviewer": self.reviewer,
            "style": self.style.name,
            "tasks": self.tasks.describe(),
            "kinds": [kind.word for kind in Kind],
            "unresolved": unresolved,
            "saved_in": self._store.place,
        }

    def veiled(self, number: int, width: int) -> bytes:
        """Return the JPEG of a frame with its veils, drawn by the renderer. Raises InputError."""
        version = self.version
        plan = FramePlan.of(version.table, number)
        return self.pictures.veiled(
            number, width, (version.number, self.style), lambda frame: plan.veil(frame, self.style)
        )

    def corrections_json(self) -> bytes:
        """Return the content of corrections.json as it is now."""
        with self._lock:
            return to_json(self._with_looked())

    @property
    def place(self) -> str:
        """Where corrections are saved, for people."""
        return self._store.place

    # What the page changes

    def correct(self, revision: int, body: dict[str, Any]) -> dict[str, Any]:
        """Make a correction and write it; what is drawn is then followed in the background.

        Raises
        ------
        AnswerError
            Where the page shows an older revision, or the correction cannot be applied.
        """
        self.require_source()
        why = body.get("why") or None
        if why is not None and not isinstance(why, str):
            raise AnswerError(422, "why", "why must be a text.")
        if body.get("op") == "remove" and not (why or "").strip():
            raise AnswerError(422, "why", "Say why: a veil is removed with a reason only.")
        with self._lock:
            self._check_revision(revision)
            version = self.version
            object_id = f"o{self._next_object(version.corrections)}"
            change = change_of(body, version.table, object_id)
            entry = self._append(change, why)
            revision = self.version.number
        tasks = self._follow_drawn()
        return {
            "revision": revision,
            "entry": entry.id,
            "task": tasks[-1].describe() if tasks else None,
        }

    def undo(self, revision: int) -> int:
        """Undo the last change that holds; returns the new revision. Raises AnswerError."""
        with self._lock:
            self._check_revision(revision)
            entry = _last_made(self.version.corrections)
            if entry is None:
                raise AnswerError(409, "undo", "There is nothing to undo.", **self._revision())
            self._append(Undo(entry.id), None)
            return self.version.number

    def redo(self, revision: int) -> int:
        """Make the change again that was undone last; returns the new revision."""
        with self._lock:
            self._check_revision(revision)
            undone = _last_undone(self.version.corrections)
            if undone is None:
                raise AnswerError(409, "redo", "There is nothing to do again.", **self._revision())
            self._append(Redo(undone), None)
            revision = self.version.number
        self._follow_drawn()
        return revision

    def look(self, first: int, last: int) -> None:
        """Note that a person looked at frames first to last; written a little later."""
        with self._lock:
            self.timeline.looked[first : last + 1] = True
            if self._looked and first <= self._looked[-1][1] + 1 and last >= self._looked[-1][0]:
                old = self._looked.pop()
                first, last = min(first, old[0]), max(last, old[1])
            self._looked.append((first, last))
            if not self._saver.is_alive():
                self._saver = threading.Timer(LOOKED_SECONDS, self._save_looked)
                self._saver.daemon = True
                self._saver.start()
        self.events.emit("looked", {"first": first, "last": last})

    def verified(self, verification: Verification | None) -> None:
        """Take what verification found into account; the riskiest frames are then others."""
        self.verification = verification
        self.timeline.renew(self.version.table.analysis, verification)

    def require_source(self) -> None:
        """Raise InputError where the frames are not those that were analysed."""
        self._checked.result()

    # Inside

    def _follow_drawn(self) -> list[Task]:
        """Begin to follow all that was drawn and is not followed yet; returns the tasks.

        What a review was ended in the middle of is followed by the next one.
        """
        with self._lock:
            waiting = {
                entry.id: entry.change
                for entry in self.version.corrections.active
                if isinstance(entry.change, Draw | Shape)
                and entry.change.tracked is None
                and entry.id not in self._followed
            }
            self._followed |= waiting.keys()
        return [
            self.tasks.start("follow", partial(self._follow, entry_id, change))
            for entry_id, change in waiting.items()
        ]

    def _follow(self, entry_id: str, change: Draw | Shape, task: Task) -> None:
        """Follow what was drawn by its pixels, and fill its entry in with the boxes found."""
        track = follow_change(self.source, self.analysis, change, task)
        with self._lock:
            corrections = self._with_looked()
            filled = replace(change, tracked=track)
            entries = tuple(
                replace(entry, change=filled) if entry.change is change else entry
                for entry in corrections.entries
            )
            grown = replace(corrections, entries=entries)
            try:
                self._write(self._version_of(self.version.number + 1, grown))
            except AnswerError as error:
                self._followed.discard(entry_id)
                raise InputError(str(error)) from error

    def _check_source(self) -> None:
        self.analysis.check_source(self.source.digest())

    def _revision(self) -> dict[str, Any]:
        return {"revision": self.version.number}

    def _check_revision(self, revision: int) -> None:
        if revision != self.version.number:
            raise AnswerError(
                409,
                "stale",
                "Something else was changed meanwhile; look at it, then try again.",
                **self._revision(),
            )

    def _append(self, change: Change, why: str | None) -> Entry:
        """Add an entry, apply it and write it: a change that cannot be written is not made."""
        grown = self._with_looked().with_change(change, by=self.reviewer, why=why)
        entry = grown.entries[-1]
        version = self._version_of(self.version.number + 1, grown)
        refused = [text for item, text in version.corrected.unresolved if item is entry]
        if refused and not isinstance(change, Reference):
            raise AnswerError(409, "refused", f"{refused[0][:1].upper()}{refused[0][1:]}.")
        self._write(version)
        return entry

    def _write(self, version: Version) -> None:
        try:
            self._store.write(version.corrections)
        except ChangedElsewhereError as error:
            self._take_over()
            raise AnswerError(
                409,
                "elsewhere",
                "Another program changed the corrections; they were read again. Look at them, "
                "then try again.",
                **self._revision(),
            ) from error
        self._looked.clear()
        self._show(version, self.reviewer)

    def _take_over(self) -> None:
        """Show the corrections that another program wrote."""
        corrections = self._store.read() or Corrections.of(self.analysis.source)
        self._show(self._version_of(self.version.number + 1, corrections), "another program")

    def _show(self, version: Version, by: str) -> None:
        self.version = version
        self.timeline.renew(version.table.analysis, self.verification)
        self.events.emit("revision", {"revision": version.number, "by": by})

    def _version_of(self, number: int, corrections: Corrections) -> Version:
        corrected = self._applier.apply(corrections)
        objects = {row: name for row, name in enumerate(corrected.objects) if name is not None}
        self._table = self._table.after(corrected.analysis, corrected.names, objects)
        return Version(number, corrections, corrected, self._table)

    def _with_looked(self) -> Corrections:
        corrections = self.version.corrections
        for first, last in self._looked:
            corrections = corrections.with_change(Looked(first, last), by=self.reviewer)
        return corrections

    def _save_looked(self) -> None:
        """Write what was looked at; the revision stays, since no box changes."""
        with self._lock:
            if not self._looked:
                return
            version = replace(self.version, corrections=self._with_looked())
            try:
                self._store.write(version.corrections)
            except ChangedElsewhereError:
                self._take_over()
                return
            except FaceveilError:
                return  # said with the next correction, which cannot be written either
            self._looked.clear()
            self.version = version

    def _next_object(self, corrections: Corrections) -> int:
        names = [
            entry.change.object for entry in corrections.entries if isinstance(entry.change, Draw)
        ]
        numbers = [int(match[1]) for name in names if (match := re.fullmatch(r"o(\d{1,9})", name))]
        return max(numbers, default=0) + 1


def _last_made(corrections: Corrections) -> Entry | None:
    """The entry that undoing concerns."""
    made = [entry for entry in corrections.active if not isinstance(entry.change, Looked)]
    return made[-1] if made else None


def _last_undone(corrections: Corrections) -> str | None:
    """The id of the entry that doing again concerns: a new change leaves none."""
    undone: list[str] = []
    for entry in corrections.entries:
        if isinstance(entry.change, Undo):
            undone.append(entry.change.entry)
        elif isinstance(entry.change, Redo):
            if entry.change.entry in undone:
                undone.remove(entry.change.entry)
        elif not isinstance(entry.change, Looked):
            undone.clear()
    return undone[-1] if undone else None
