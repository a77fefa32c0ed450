"""The catalogue finds studies: one file each under `emergelab/studies/<family>/`, and those of other packages.

A listing reads titles out of the files without importing them, so `emergelab list` needs no JAX. Other packages add
studies through the entry point group `emergelab.studies` (name = slug, value = `package.module:study`).
"""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UserError, nearest

if TYPE_CHECKING:
    from .study import Study

GROUP = "emergelab.studies"


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue, known without importing the study."""

    slug: str
    family: str
    title: str
    module: str
    attribute: str = "study"


@cache
def entries() -> tuple[Entry, ...]:
    """All studies, by family and slug. An entry point with the slug of one of our own studies is refused on use."""
    found = [e for e in map(_read, _files()) if e is not None]
    own = {e.slug for e in found}
    for point in metadata.entry_points(group=GROUP):
        if point.name not in own:
            found.append(
                Entry(
                    point.name,
                    point.dist.name if point.dist else "elsewhere",
                    f"({point.value})",
                    point.module,
                    point.attr or "study",
                )
            )
    return tuple(sorted(found, key=lambda e: (e.family, e.slug)))


def _files() -> list[Path]:
    root = Path(__file__).parent / "studies"
    files = [*root.glob("*/*.py"), *root.glob("*/*/__init__.py")]
    return sorted(f for f in files if not f.name.startswith("_") or f.name == "__init__.py")


def _read(path: Path) -> Entry | None:
    """Slug and title out of a file that calls `Study(slug=..., ...)` at its top level."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in tree.body:
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if not isinstance(value, ast.Call):
            continue
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        words = {k.arg: k.value.value for k in value.keywords if isinstance(k.value, ast.Constant)}
        if name != "Study" or "slug" not in words:
            continue
        parts = path.relative_to(Path(__file__).parent).with_suffix("").parts
        module = ".".join(("emergelab", *(p for p in parts if p != "__init__")))
        title = (ast.get_docstring(tree) or "").partition("\n")[0]
        return Entry(str(words["slug"]), str(words.get("family", parts[1])), title, module)
    return None


def find(slug: str) -> Study:
    """A study by its slug.

    Raises:
        UserError: unknown slug (with the nearest one), or an entry point that holds no study.
    """
    from .study import Study

    for entry in entries():
        if entry.slug == slug:
            try:
                found = getattr(importlib.import_module(entry.module), entry.attribute)
            except (ImportError, AttributeError) as error:
                raise UserError(
                    f"study {slug!r}: {entry.module}:{entry.attribute} cannot be imported ({error})"
                ) from error
            if not isinstance(found, Study):
                raise UserError(f"study {slug!r}: {entry.module}:{entry.attribute} is no el.Study")
            return found
    raise UserError(f"no study {slug!r}{nearest(slug, [e.slug for e in entries()])} (`emergelab list` shows all)")
