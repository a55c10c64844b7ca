"""What a live run manages: see benchmarks/README.md."""
