"""Pages for people, and the drawings on them."""

UNKNOWN = "–"  # how a figure is shown that there is not
