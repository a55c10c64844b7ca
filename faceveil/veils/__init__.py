"""Veils: which boxes are veiled (`plan`), the area (`region`), the look (`styles`), and drawing."""
