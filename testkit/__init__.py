"""Clips, people, scenes and jobs whose truth is known: shared by tests, benchmarks and scripts."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The checkout."""
SHARED = PROJECT.parent / "shared"
"""Real clips, photos and the thesis's figures beside the checkout, where they are at hand."""
SHARED_DATA = SHARED / "data"
THESIS_TABLES = SHARED / "thesis" / "tables.toml"
