"""The benchmarks whose figures the documents quote."""
