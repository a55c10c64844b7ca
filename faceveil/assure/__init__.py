"""Proof that the result holds."""
