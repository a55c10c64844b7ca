"""Checks of the result: coverage before rendering, verification after it, and the report."""
