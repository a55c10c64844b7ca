"""SageMaker serving: one picture's bytes in, its detections out, behind multi-model-server."""
