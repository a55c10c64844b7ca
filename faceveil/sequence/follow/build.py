"""Facial sequences from the faces of one frame after another (thesis 3.1.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, Floats, FrameFaces, Ints, Provenance
from faceveil.sequence.follow.block import FaceBlock
from faceveil.sequence.follow.feature_samples import FeatureSamples, offer_all
from faceveil.sequence.follow.grid import Indices
from faceveil.sequence.follow.growing_column import GrowingColumn
from faceveil.sequence.follow.guess import guess
from faceveil.sequence.follow.nodes import NO_NODE, Nodes
from faceveil.sequence.follow.open_sequences import OpenSequences
from faceveil.sequence.follow.settle import Window, settled_frames
from faceveil.sequence.follow.states import States, states
from faceveil.sequence.match import Distance, costs, distance_by_name, match_frame
from faceveil.sequence.options import SequenceOptions

MOST_FRAMES, MOST_FACES = 2048, 8192
"""The most frames and faces that wait to be followed together."""
MOST_PAIRS = 1 << 18
LEAST_AT_ONCE, MOST_ONE_BY_ONE = 32, 512


@dataclass(frozen=True, slots=True, eq=False)
class LooseFaces:
    """Faces with a low score that belong to no sequence, as columns with rising frames.

    Attributes
    ----------
    frames, shots : ndarray of int32 [n]
    boxes : ndarray of float32 [n, 4]
    scores : ndarray of float32 [n]
    """

    frames: Ints
    shots: Ints
    boxes: Floats
    scores: Floats

    @classmethod
    def none(cls) -> LooseFaces:
        """Return columns of no face."""
        number, score = np.zeros(0, np.int32), np.zeros(0, np.float32)
        return cls(number, number, np.zeros((0, 4), np.float32), score)


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """The result of following all frames.

    Attributes
    ----------
    sequences : list of FaceSequence
        Ordered by their first frame.
    detections : DetectionLog
        Every accepted detection, with the index of its sequence.
    shot_starts : ndarray of int32 [s]
        The first frame of each shot, the first frame of the video included.
    loose : LooseFaces
        Faces with a low score that continue no sequence.
    """

    sequences: list[FaceSequence]
    detections: DetectionLog
    shot_starts: Ints
    loose: LooseFaces = field(default_factory=LooseFaces.none)


class SequenceBuilder:
    """Follows faces through a video, frame after frame.

    Each accepted detection continues a sequence of its shot or starts one; none is dropped. A
    detection with a low score (from LOW_SCORE) may continue a sequence that no accepted one
    matched, where it overlaps the expected place. Two faces of one frame are never one sequence
    ("cannot-link"), except two boxes around one face (IoU of 0.6, features that do not contradict
    each other): the sequence then has the box around both, so that a person who is kept is not
    veiled by a second detection of the same face.

    Parameters
    ----------
    options : SequenceOptions, optional
        Distance, longest gap, and whether low scores continue sequences.
    distance : Distance, optional
        Replaces the distance named in the options.

    Notes
    -----
    Thesis section 3.1.4. Memory grows by 30 bytes a face. The package docstring explains how many
    frames are followed at once.
    """

    def __init__(
        self, options: SequenceOptions | None = None, distance: Distance | None = None
    ) -> None:
        self._options = options or SequenceOptions()
        self._distance = distance or distance_by_name(self._options.distance)
        self._waiting: list[tuple[int, int, FrameFaces]] = []
        self._faces_waiting = 0
        self._open = OpenSequences.none(0, 0)
        self._pace = _Pace()
        self._samples: list[FeatureSamples] = []
        self._shots: list[int] = []
        self._shot_starts: list[int] = []
        self._last_frame = -1
        self._feature_size = 0
        self._frames = GrowingColumn((), np.int32)
        self._boxes = GrowingColumn((4,), np.float32)
        self._scores = GrowingColumn((), np.float32)
        self._provenance = GrowingColumn((), np.uint8)
        self._sequence = GrowingColumn((), np.int32)
        self._loose_frames = GrowingColumn((), np.int32)
        self._loose_shots = GrowingColumn((), np.int32)
        self._loose_boxes = GrowingColumn((4,), np.float32)
        self._loose_scores = GrowingColumn((), np.float32)

    def push(self, frame_number: int, faces: FrameFaces, new_shot: bool) -> None:
        """Take the faces of the next frame.

        Parameters
        ----------
        frame_number : int
            0-based. Numbers must rise but may leave frames out.
        faces : FrameFaces
            A frame that could not be read (`faces.error`) only lets time pass.
        new_shot : bool
            Whether this frame is the first of a shot; no sequence continues into it.

        Raises
        ------
        InputError
            When frames are out of order or features come from different recognisers.
        """
        if frame_number <= self._last_frame:
            raise InputError(
                f"frame {frame_number} came after frame {self._last_frame}; "
                "give each frame once and in order"
            )
        self._last_frame = frame_number
        if new_shot or not self._shot_starts:
            self._shot_starts.append(frame_number)
        if len(faces) == 0:
            return
        self._check_features(faces)
        self._waiting.append((frame_number, len(self._shot_starts) - 1, faces))
        self._faces_waiting += len(faces)
        if len(self._waiting) >= MOST_FRAMES or self._faces_waiting >= MOST_FACES:
            self._follow()

    def finish(self) -> Built:
        """Follow the frames that still wait and return all sequences and accepted detections."""
        self._follow()
        sequence = self._sequence.values
        accepted = self._provenance.values == Provenance.DETECTED
        log = DetectionLog(
            frames=self._frames.values[accepted],
            boxes=self._boxes.values[accepted],
            sequence=sequence[accepted],
        )
        # The rows are in order of frames; a stable sort keeps that within each sequence.
        order = np.argsort(sequence, kind="stable")
        ends = np.searchsorted(sequence[order], np.arange(len(self._samples)), side="right")
        rows_of = np.split(order, ends[:-1]) if len(ends) else []
        # Samples take most of the memory: each is freed when it has become columns.
        self._samples.reverse()
        sequences = [
            self._sequence_of(shot, rows, self._samples.pop())
            for shot, rows in zip(self._shots, rows_of, strict=True)
        ]
        loose = LooseFaces(
            self._loose_frames.values,
            self._loose_shots.values,
            self._loose_boxes.values,
            self._loose_scores.values,
        )
        return Built(sequences, log, np.array(self._shot_starts, np.int32), loose)

    def _check_features(self, faces: FrameFaces) -> None:
        size = faces.features.shape[1]
        self._feature_size = self._feature_size or size
        if size not in (0, self._feature_size):
            raise InputError(
                f"features of {size} numbers after features of {self._feature_size}: these "
                "detections were made with different recognisers; detect all frames with one"
            )

    def _follow(self) -> None:
        """Follow the faces of all frames that wait."""
        if not self._waiting:
            return
        block = FaceBlock.of(
            self._waiting,
            self._feature_size,
            self._distance.min_feature_size,
            self._options.low_scores,
        )
        self._waiting, self._faces_waiting = [], 0
        if not self._open.features.shape[1]:  # no feature so far
            self._open.features = np.zeros((len(self._open), self._feature_size), np.float32)
        ids = np.full(len(block.boxes), NO_NODE, np.int64)
        frame = 0
        while frame < len(block):
            if block.shots[frame] != self._open.shot:
                self._open = OpenSequences.none(int(block.shots[frame]), self._feature_size)
            stop = self._pace.stop(block, frame)
            if stop - frame > 1:
                settled = self._follow_at_once(block, frame, stop, ids)
                self._pace.learn(settled, stop - frame)
                frame += settled
            else:
                self._follow_one(block, frame, ids)
                frame += 1
        self._record(block, ids)

    def _follow_at_once(self, block: FaceBlock, first: int, stop: int, ids: Indices) -> int:
        """Follow the faces of frames first to stop as far as guesses hold.

        Returns the number of frames done and writes the sequence of each face into ids.
        """
        nodes = Nodes.of(self._open, block, first, stop)
        window = Window.of(nodes, block.numbers[first:stop], block.shots[first:stop])
        max_gap = self._options.max_gap
        links = guess(nodes, self._open, max_gap)
        known = states(nodes, links, self._open, self._distance.feature_memory, len(window))
        settled = settled_frames(nodes, links, known, window, self._distance, max_gap)
        if settled:
            self._take(nodes, links, known, settled, int(window.shots[settled - 1]), ids)
        return settled

    def _take(
        self, nodes: Nodes, links: Indices, known: States, settled: int, shot: int, ids: Indices
    ) -> None:
        """Take over the links of the first `settled` frames; sequences of `shot` stay open."""
        done = np.flatnonzero(nodes.position < settled)
        starts = done[(links[done] == NO_NODE) & ~nodes.low[done]][nodes.carried :]
        id_of = np.full(len(nodes), NO_NODE, np.int64)  # of a chain
        id_of[: nodes.carried] = self._open.ids
        id_of[known.chain[starts]] = self._new_ids(nodes.frames[starts], nodes.shots[starts])
        faces = done[nodes.carried :]
        ids[nodes.face[faces]] = id_of[known.chain[faces]]
        tail = np.full(len(nodes), NO_NODE, np.int64)
        tail[known.chain[done]] = done
        tail = tail[(tail != NO_NODE) & (id_of != NO_NODE)]
        tail = tail[nodes.shots[tail] == shot]
        self._open = OpenSequences(
            shot=shot,
            ids=id_of[known.chain[tail]],
            boxes=nodes.boxes[tail],
            velocity=known.velocity[tail],
            frames=nodes.frames[tail],
            features=known.features[tail],
            moving=known.moving[tail],
        )

    def _follow_one(self, block: FaceBlock, frame: int, ids: Indices) -> None:
        """The slow path: match the faces of one frame with the open sequences, start others."""
        number = int(block.numbers[frame])
        faces = block.candidates(frame, frame + 1)
        boxes, features, low = block.boxes[faces], block.comparable[faces], block.low[faces]
        if len(self._open):
            self._open.keep(number - self._open.frames <= self._options.max_gap)
        cost = costs(self._distance, self._open.pairs(number, boxes, features), low)
        row = match_frame(cost, low, self._distance.limit)
        old, new = np.flatnonzero(row >= 0), np.flatnonzero((row < 0) & ~low)
        row = row[old]
        ids[faces[old]] = self._open.ids[row]
        self._open.move(row, number, boxes[old])
        self._open.remember(row, features[old], self._distance.feature_memory)
        if len(new):
            shots = np.full(len(new), block.shots[frame])
            ids[faces[new]] = self._new_ids(np.full(len(new), number), shots)
            self._open.start(ids[faces[new]], number, boxes[new], features[new])

    def _new_ids(self, frames: Indices, shots: Indices) -> Indices:
        """Numbers for sequences that begin at these frames."""
        ids = np.arange(len(self._samples), len(self._samples) + len(frames))
        self._samples += map(FeatureSamples, frames.tolist())
        self._shots += shots.tolist()
        return ids

    def _record(self, block: FaceBlock, ids: Indices) -> None:
        """Note each face that belongs to a sequence, and offer its feature."""
        numbers = block.numbers[block.frame_of]
        leads = np.flatnonzero((block.leader == np.arange(len(ids))) & (block.quality > 0))
        offer_all(
            self._samples, ids[leads], numbers[leads], block.quality[leads], block.features, leads
        )
        ids = np.where(block.accepted, ids[block.leader], ids)
        known = np.flatnonzero(ids != NO_NODE)
        accepted = block.accepted[known]
        self._frames.append(numbers[known], len(known))
        self._boxes.append(block.boxes[known], len(known))
        self._scores.append(block.scores[known], len(known))
        self._provenance.append(
            np.where(accepted, Provenance.DETECTED, Provenance.LOW_SCORE), len(known)
        )
        self._sequence.append(ids[known], len(known))
        loose = np.flatnonzero(block.low & (ids == NO_NODE))
        self._loose_frames.append(numbers[loose], len(loose))
        self._loose_shots.append(block.shots[block.frame_of[loose]], len(loose))
        self._loose_boxes.append(block.boxes[loose], len(loose))
        self._loose_scores.append(block.scores[loose], len(loose))

    def _sequence_of(self, shot: int, rows: NDArray[Any], samples: FeatureSamples) -> FaceSequence:
        frames, boxes = self._frames.values[rows], self._boxes.values[rows]
        first = np.flatnonzero(np.diff(frames, prepend=-1))  # two boxes of one face share a frame
        low, high = (f.reduceat(boxes, first) for f in (np.minimum, np.maximum))
        sample_frames, quality, features = samples.columns(self._feature_size)
        return FaceSequence(
            frames=frames[first],
            boxes=np.concatenate([low[:, :2], high[:, 2:]], axis=1),
            scores=np.maximum.reduceat(self._scores.values[rows], first),
            provenance=self._provenance.values[rows][first],
            shot=shot,
            feature_frames=sample_frames,
            feature_quality=quality,
            features=features,
        )


class _Pace:
    """How many frames to try at once: more while guesses hold, one by one while they fail."""

    def __init__(self) -> None:
        self._at_once = 8 * LEAST_AT_ONCE
        self._alone = 0
        self._patience = 1

    def stop(self, block: FaceBlock, first: int) -> int:
        """The end of the frames to try from `first` on; `first + 1` takes the slow path."""
        most = min(first + self._at_once, len(block))
        counts = np.diff(block.start[first : most + 1])
        within = np.searchsorted(np.cumsum(counts * counts), MOST_PAIRS, side="right")
        if self._alone or within < LEAST_AT_ONCE:
            self._alone = max(self._alone - 1, 0)
            return first + 1
        return first + int(within)

    def learn(self, settled: int, tried: int) -> None:
        if settled == tried:
            self._at_once = min(2 * self._at_once, MOST_FRAMES)
            self._patience = 1
            return
        self._at_once = max(2 * settled, LEAST_AT_ONCE)
        few = settled < LEAST_AT_ONCE
        self._patience = min(2 * self._patience, MOST_ONE_BY_ONE) if few else 1
        self._alone = self._patience
