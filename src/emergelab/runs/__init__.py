"""What lies on disk: the store, the reader, and how foreign logs become labelled data."""
