"""Where it runs: the Ray Serve application, its processes, and the command line."""
