"""How foreign logs become labelled data."""
