"""Which sequences show the same person, and who stays visible.

`cluster` groups sequences into identities by their `templates`; `references` reads photos of known
people; `request` is what a user asks for, `select` decides on each sequence, and `limit` restricts
a selection to ranges of frames.
"""
