"""How foreign logs become labelled data: `open_data` recognises what it was given; each importer can be called."""

from .front import KINDS, kind_of, open_data
from .opened import Opened

__all__ = ["KINDS", "Opened", "kind_of", "open_data"]
