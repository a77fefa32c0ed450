"""Studies of populations of simple agents."""
