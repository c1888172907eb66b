"""Where requests can go: replicas and providers, how they are reached, and what is open there."""
