"""Frames in and out: one interface for video files and folders of pictures."""
