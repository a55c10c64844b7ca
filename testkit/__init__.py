"""Clips, people, scenes and jobs whose truth is known: shared by tests, benchmarks and scripts."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
