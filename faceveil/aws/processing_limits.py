"""What SageMaker allows a Processing job (API reference, CreateProcessingJob and its types)."""

MOST_INSTANCES = 100
MOST_RUNTIME_SECONDS = 777_600
"""Nine days."""
MOST_VOLUME_GB = 16_384
