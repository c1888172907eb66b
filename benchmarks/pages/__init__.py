"""Pages for people, and the drawings on them."""
