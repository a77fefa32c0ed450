"""Rules of games that several studies play."""
