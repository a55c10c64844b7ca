"""Faces of one frame after another followed into facial sequences (thesis 3.1.4).

The rule is simple: in each frame the open sequences of the shot are matched with the faces at the
least total cost (`sequence.match`). A face that matches continues its sequence, any other accepted
face starts one, and the state of each sequence (velocity, remembered feature) is updated. One
frame at a time this is slow in Python. In most frames, however, there is nothing to weigh up: every
face has one plausible predecessor. So thousands of frames are followed at once, speculatively, and
the result is the same as that of the simple rule:

    frames wait in SequenceBuilder until there are 2048 of them, or 8192 faces
        |
        v
    block     their faces as columns; doubles of one face and low scores are marked
        |
        v
    nodes     the open sequences first, then the faces of the next so many frames
        |
        v
    guess     links[n]: the node each node probably continues. Nearest neighbours are linked
        |     first in adjacent frames, then over wider gaps; nothing depends on it being right
        v
    states    velocity and remembered feature after each node, if the links were right: all
        |     sequences advance together, in pieces of 96 nodes
        v
    settle    the cost of every open sequence with every face of its frame, given these states;
        |     the matching of each frame is compared with the guess
        v
    up to the first frame in which they differ, the guess is what the simple rule gives: those
    links are taken, and the next frames are tried from there

By induction: the state before a frame is right when all links before it are, so a frame whose
matching agrees with the guess proves the state of the next.

The slow path matches a single frame by the simple rule (`SequenceBuilder._follow_one`). It is taken
for a frame whose guess was wrong at once, for a growing number of frames while guesses keep failing
(a crowd, a bad detector), and where a window would hold too few frames to be worth it. `_Pace` in
`build` decides. Both paths give the same sequences, whatever the pace; tests compare them.

`grid` computes pairs of many small groups at once, `open_sequences` holds what is known of each
open sequence, `feature_samples` keeps at most 32 features of each, `growing_column` the boxes.
"""
