"""Faces followed by their pixels where they were not detected."""
