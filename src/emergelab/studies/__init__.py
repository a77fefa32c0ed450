"""Published phenomena made executable, one file each; the catalogue finds them."""
