"""How well an output agrees with the truth."""
