"""Learning that goes on: streams of tasks, methods against forgetting, and the system that carries both out."""
