"""What faceveil costs and how well it does, measured: `python -m benchmarks --help`."""
