"""A frame in, faces out."""
