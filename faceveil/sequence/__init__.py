"""Faces followed through a shot: follow/ builds sequences, the other modules finish them."""
