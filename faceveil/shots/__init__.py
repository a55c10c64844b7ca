"""Shot transitions: cuts, fades, dissolves and wipes.

`transitions.TransitionDetector` joins the others: `cuts` compares adjacent frames, `gradual` longer
stretches, and `transnet` decides doubtful cases. All work on thumbnails of 48 x 27 pixels.
"""
