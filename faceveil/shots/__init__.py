"""Shot transitions: cuts, fades, dissolves and wipes."""
