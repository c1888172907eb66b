"""The HTTP edge: routes, keys, bounds, documents, and one envelope for what goes wrong."""
