"""Serving, analysis and rendering at the size of the cloud."""
