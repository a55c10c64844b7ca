"""Rendering in chunks: how the frames are divided, where each chunk runs, and the Batch queue."""
