"""Servers on this machine: S3, AWS by moto, the model server, functions, all over HTTP."""
