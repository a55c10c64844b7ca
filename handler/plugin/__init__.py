"""The Java part of the server: two endpoints, and a main that finishes what it has accepted."""
