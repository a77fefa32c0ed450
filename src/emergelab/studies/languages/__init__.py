"""Studies of languages that emerge between agents who need to be understood."""
