"""What recognisers and averages find out about a veiled face."""
