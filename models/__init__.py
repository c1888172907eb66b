"""What can be served and what it costs: models, cards, dated prices, integer money."""
