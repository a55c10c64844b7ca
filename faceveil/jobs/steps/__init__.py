"""The steps of a job; each may be repeated and gives the same objects."""
