"""Who is who, and who may stay visible."""
