"""Faces followed through a shot: building, filling, smoothing."""
