"""Faces followed by their pixels where they were not detected: at ends of sequences and in gaps.

`track` decides what is followed, and how far, and joins the results; `median_flow` follows one box
through pictures; `pixel_tracker` reads the pictures from a source.
"""
