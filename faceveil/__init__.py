"""faceveil: veil the right faces in video, at cloud scale, without missing one."""

__version__ = "0.2.0"
