"""Facial sequences built from the faces of one frame after another."""
