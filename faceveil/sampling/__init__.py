"""In which frames faces are detected: in every one, or only in as many as needed.

`detection` runs an analyzer over a source; `adaptive` chooses the frames, `agreement` decides
whether two frames show the same faces, so that those between need not be analysed.
"""
