"""Amazon Rekognition's face search instead of our own networks."""
