"""Studies of learning that goes on: streams of tasks, what is forgotten, and what keeps it."""
