"""Moments in which a face did not look like itself are returned to its sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from faceveil.boxes import iou
from faceveil.faces import FaceSequence, Floats, Ints

MOST_BOXES = 3
SAME_PLACE_IOU = 0.5


def absorb(sequences: Sequence[FaceSequence]) -> tuple[list[FaceSequence], Ints]:
    """Move sequences of a few frames into the sequence whose gap they fill.

    Motion blur, a misplaced landmark or a person who passes in front can make a feature contradict
    its own person for a few frames. A sequence of its own is then started, and the old one goes on
    afterwards. Where such a sequence has at most 3 boxes and lies in the gap of another, in its
    place (IoU of 0.5 with the interpolated box), the face was there all the time: its boxes move
    over, its misleading features do not.

    Parameters
    ----------
    sequences : sequence of FaceSequence [n]

    Returns
    -------
    left : list of FaceSequence
        In the same order.
    became : ndarray of int32 [n]
        For each given sequence the index of the one that has its boxes now.
    """
    host_of: dict[int, int] = {}
    guests: dict[int, list[int]] = {}
    for guest, hosts in _guests_and_hosts(sequences):
        fits = [(host, _fit(sequences[guest], sequences[host])) for host in hosts]
        host, best = max(fits, key=lambda fit: fit[1], default=(-1, 0.0))
        others = [sequences[other] for other in guests.get(host, [])]
        if best >= SAME_PLACE_IOU and not any(sequences[guest].overlaps(o) for o in others):
            host_of[guest] = host
            guests.setdefault(host, []).append(guest)
    stays = np.array([i not in host_of for i in range(len(sequences))], bool)
    number = np.cumsum(stays) - 1
    became = number[[host_of.get(i, i) for i in range(len(sequences))]].astype(np.int32)
    left = [
        _with_guests(sequences[i], [sequences[guest] for guest in guests.get(i, [])])
        for i in np.flatnonzero(stays).tolist()
    ]
    return left, became


def _guests_and_hosts(sequences: Sequence[FaceSequence]) -> Iterator[tuple[int, list[int]]]:
    """Each sequence of a few boxes with the sequences that have a gap around it."""
    gaps = [
        (int(sequence.frames[at]), int(sequence.frames[at + 1]), index)
        for index, sequence in enumerate(sequences)
        for at in np.flatnonzero(np.diff(sequence.frames) > 1).tolist()
    ]
    starts_ends_owners = np.array(sorted(gaps), np.int64).reshape(-1, 3)
    starts, ends, owners = starts_ends_owners.T
    longest = int((ends - starts).max(initial=0))
    for index, sequence in enumerate(sequences):
        if len(sequence) > MOST_BOXES:
            continue
        low, high = np.searchsorted(starts, [sequence.last - longest, sequence.first])
        around = ends[low:high] > sequence.last
        hosts = owners[low:high][around].tolist()
        yield index, [host for host in hosts if len(sequences[host]) > MOST_BOXES]


def _fit(guest: FaceSequence, host: FaceSequence) -> float:
    """Least IoU of the guest's boxes with those of the host, interpolated through its gap."""
    expected = [np.interp(guest.frames, host.frames, side) for side in host.boxes.T]
    boxes: Floats = np.stack(expected, axis=1).astype(np.float32)
    return float(iou(boxes, guest.boxes).min())


def _with_guests(host: FaceSequence, guests: list[FaceSequence]) -> FaceSequence:
    if not guests:
        return host
    parts = [host, *guests]
    frames = np.concatenate([part.frames for part in parts])
    order = np.argsort(frames)
    return replace(
        host,
        frames=frames[order],
        boxes=np.concatenate([part.boxes for part in parts])[order],
        scores=np.concatenate([part.scores for part in parts])[order],
        provenance=np.concatenate([part.provenance for part in parts])[order],
    )
