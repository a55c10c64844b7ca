"""The job system: job.json, its status, its events, and what is done at each."""
