"""Detectors, recognisers and shot transitions."""
