"""What a job takes: time and money."""
