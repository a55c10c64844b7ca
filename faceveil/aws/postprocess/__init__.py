"""From a job's detections to its veiled frames: steps that can be repeated and shared out."""
