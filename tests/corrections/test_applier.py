"""Corrections applied one by one, as in a review: the result of applying all, for a small part of
the work."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.corrections import apply
from faceveil.corrections.apply import Applier, apply_corrections
from faceveil.corrections.entries import BoxAt, Decide, Draw, Redo, Target, Track, Undo
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog
from tests.corrections.test_apply_corrections import (
    EMPTY,
    FIRST_KEPT,
    analysis_of,
    harmless,
    sequence,
    uncovering,
)

STEPS = st.lists(
    st.one_of(harmless, uncovering, st.sampled_from(["undo", "redo", "fill"])), max_size=10
)


def step(document, action):
    """The document after what a person, or following in the background, does next."""
    undone = [entry.id for entry in document.entries if entry not in document.active]
    if action == "undo":
        made = document.active
        return document.with_change(Undo(made[-1].id), by="ann") if made else document
    if action == "redo":
        again = [name for name in undone if not is_about_undoing(document, name)]
        return document.with_change(Redo(again[-1]), by="ann") if again else document
    if action == "fill":
        return replace(document, entries=tuple(map(filled, document.entries)))
    return document.with_change(action, by="ann", why="because")


def is_about_undoing(document, name):
    (change,) = (entry.change for entry in document.entries if entry.id == name)
    return isinstance(change, Undo | Redo)


def filled(entry):
    if not isinstance(entry.change, Draw) or entry.change.tracked is not None:
        return entry
    place = entry.change.keyframes[0]
    track = Track(np.array([place.frame + 1], np.int32), np.array([place.box], np.float32))
    return replace(entry, change=replace(entry.change, tracked=track))


def assert_same(one, other):
    assert one.names == other.names
    assert one.objects == other.objects
    assert one.looked == other.looked
    assert one.unresolved == other.unresolved
    a, b = one.analysis, other.analysis
    assert a.decisions == b.decisions
    np.testing.assert_array_equal(a.identities, b.identities)
    np.testing.assert_array_equal(a.detections.sequence, b.detections.sequence)
    for left, right in zip(a.sequences, b.sequences, strict=True):
        np.testing.assert_array_equal(left.frames, right.frames)
        np.testing.assert_array_equal(left.boxes, right.boxes)
        np.testing.assert_array_equal(left.provenance, right.provenance)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([(1, 3), (2, 2), (16, 32)]))
def test_one_by_one_is_the_same_as_all_at_once(steps, kept):
    """Whatever is undone, redone and filled in, and whichever states in between are kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "RECENT", kept[0])
        patch.setattr(apply, "SPARSE", kept[1])
        applier, document = Applier(FIRST_KEPT), EMPTY
        for action in steps:
            document = step(document, action)
            assert_same(applier.apply(document), apply_corrections(FIRST_KEPT, document))


class Counted(np.ndarray):
    """An array that counts the elements that are looked at; finding one by bisection is free."""

    seen = 0

    def __getitem__(self, index):
        found = np.asarray(self)[index]
        Counted.seen += np.size(found)
        return found

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        Counted.seen += self.size
        plain = [np.asarray(i) if isinstance(i, Counted) else i for i in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __array_function__(self, function, types, arguments, options):
        if function is not np.searchsorted or arguments[1].dtype != self.dtype:
            Counted.seen += self.size
        plain = [np.asarray(i) if isinstance(i, Counted) else i for i in arguments]
        return function(*plain, **options)


@pytest.mark.parametrize("decision", ["keep", "veil"])
def test_a_decision_looks_at_the_detections_of_its_own_frames_only(decision):
    """However many hours the video has, a click must be answered at once."""
    sequences = [sequence(first, first + 19, 10.0) for first in range(0, 6000, 20)]
    analysis = analysis_of([Decision(True, "veiled")] * len(sequences), sequences)
    log, source = analysis.detections, replace(analysis.source, frame_count=6000)
    free = np.where(np.arange(len(log)) % 10 == 0, -1, log.sequence).astype(np.int32)
    counted = DetectionLog(log.frames.view(Counted), log.boxes.view(Counted), free)
    applier = Applier(replace(analysis, source=source, detections=counted))
    place = BoxAt(3005, tuple(sequences[150].box_at(3005).tolist()))
    document = replace(EMPTY, frame_count=6000).with_change(
        Decide(Target(sequence=place), decision), by="ann"
    )
    Counted.seen = 0
    result = applier.apply(document)
    assert result.unresolved == ()
    assert result.analysis.decisions[150].veil == (decision == "veil")
    owned = np.count_nonzero(result.analysis.detections.sequence == 150)
    assert owned == (20 if decision == "keep" else 18)
    assert Counted.seen <= 5 * 20  # its frames and boxes, of 30,000 numbers


def test_a_further_correction_is_applied_alone(monkeypatch):
    """An hour of work must not make each click slower than the one before."""
    applied = []
    change = apply._Application._change
    monkeypatch.setattr(
        apply._Application,
        "_change",
        lambda state, entry: (applied.append(entry.id), change(state, entry))[1],
    )
    applier, document = Applier(FIRST_KEPT), EMPTY
    target = Target(sequence=BoxAt(10, (115.0, 22.5, 155.0, 72.5)))
    for count in range(100):
        decision = "veil" if count % 2 else "keep"
        document = document.with_change(Decide(target, decision), by="ann")
        applier.apply(document)
    assert len(applied) == 100
    applied.clear()
    document = document.with_change(Undo("e100"), by="ann")
    applier.apply(document)
    assert applied == []
    applier.apply(document.with_change(Undo("e2"), by="ann"))
    assert len(applied) < 100
