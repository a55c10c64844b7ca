"""What hides a face."""
