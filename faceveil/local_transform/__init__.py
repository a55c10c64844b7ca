"""A SageMaker Batch Transform job on this machine: inputs, server, requests, outputs, event."""
