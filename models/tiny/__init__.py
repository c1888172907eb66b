"""The tiny model, built on first use: no download, no GPU."""
