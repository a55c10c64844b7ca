"""The detections of a job, read in frame order: of every frame, or of sampled frames."""
