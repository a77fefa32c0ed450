"""Studies of learners: agents that are taught, search, explore and hand on what they know."""
