"""What several benchmarks stand on: load, stacks, and where a figure comes from."""
