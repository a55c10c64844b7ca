"""Faces followed through a shot: follow/ builds sequences, the other modules finish them.

`finish` is the order of the finishing steps: absorb, join, prune, track, fill (interpolate or rts),
extend, trim, smooth. `options` has the parameters of all of them, `match` the distances by which
faces are matched.
"""
