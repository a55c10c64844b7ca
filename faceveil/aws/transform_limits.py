"""What SageMaker allows a Batch Transform job."""

DEFAULT_CONTENT_TYPE = "application/x-image"
MOST_MEGABYTES = 100
"""The most that MaxConcurrentTransforms x MaxPayloadInMB may be, and MaxPayloadInMB alone."""
MOST_RETRIES, MOST_TIMEOUT_SECONDS = 3, 3600
