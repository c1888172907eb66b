"""How fast a model runs: work, roofline, and the factors as measured."""
