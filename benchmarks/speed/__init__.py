"""The whole command: time, memory and stages."""
