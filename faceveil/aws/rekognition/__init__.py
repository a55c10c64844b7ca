"""Amazon Rekognition instead of our own networks: people searched for in a stored video."""
