"""Studies of networks while they train."""
