"""How a plan of (condition x seed) blocks is carried out."""
