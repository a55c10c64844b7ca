"""Which faces are missed, for how long and under which conditions."""
