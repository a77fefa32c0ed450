"""Parts of networks that several studies share."""
