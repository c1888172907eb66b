"""What fits a card: layouts, weights, KV cache."""
