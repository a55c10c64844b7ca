"""The SageMaker transform jobs of a job: the request, the second (refine) pass, and the watch."""
