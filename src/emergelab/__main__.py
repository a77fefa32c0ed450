"""`python -m emergelab`: the command line, of the very Python that is named."""

from .cli import main

if __name__ == "__main__":
    main()
