"""The steps of a job; each may be repeated and makes the same objects."""
