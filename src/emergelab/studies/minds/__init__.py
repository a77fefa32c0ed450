"""Studies of what language models seem to have in mind."""
