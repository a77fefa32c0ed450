"""Verbs that look: `list`, `show`, `sites`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._app import app
from ._options import Json, print_json

if TYPE_CHECKING:
    pass


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The studies: slug, family, title."""
    from ..catalogue import entries

    found = entries()
    if as_json:
        print_json([{"slug": e.slug, "family": e.family, "title": e.title} for e in found])
        return
    from ..terminal import console, table

    made = table("study", "family", "what emerges")
    for e in found:
        made.add_row(e.slug, e.family, e.title)
    console().print(made)
    print("next: emergelab show SLUG, emergelab run SLUG")


@app.command()
def show(slug: str, as_json: Json = False) -> None:
    """A study's page: what it is, conditions, parameters, sizes and claims."""
    from ..catalogue import find
    from ..system import defaults, parameters
    from ..terminal import bound, console, table

    study = find(slug)
    known, given = parameters(study.system), defaults(study.system)
    if as_json:
        print_json(
            {
                "slug": study.slug,
                "family": study.family,
                "title": study.title,
                "page": study.page,
                "papers": [vars(p) for p in study.papers],
                "parameters": {
                    n: {"default": given[n], "expected": p.expected(), "unit": p.unit, "about": p.about}
                    for n, p in known.items()
                },
                "conditions": {n: {"set": _plain(c.set), "about": c.about} for n, c in study.conditions.items()},
                "sizes": {
                    n: {
                        "seeds": s.seeds,
                        "steps": s.steps,
                        "every": s.every,
                        "set": _plain(s.set),
                        "conditions": list(s.conditions or study.conditions),
                        "about": s.about,
                    }
                    for n, s in study.sizes.items()
                },
                "observables": [
                    {"name": o.name, "dims": list(o.dims), "unit": o.unit, "about": o.about}
                    for o in study.system.observables
                ],
                "claims": [
                    {
                        "text": c.text,
                        "test": c.test.words(),
                        "direction": c.direction,
                        "margin": c.margin,
                        "published": c.published,
                        "about": c.about,
                    }
                    for c in study.claims
                ],
            }
        )
        return
    from rich.markdown import Markdown

    out = console()
    out.print(Markdown(f"# {study.title}\n\n{study.page.partition(chr(10))[2]}"))
    rows = table("parameter", "default", "may be", "meaning", title="Parameters (--set NAME=VALUE)")
    for name, p in known.items():
        rows.add_row(
            name, str(given[name]), p.expected(), f"{p.about}{f' [{p.unit}]' if p.unit not in ('', '1') else ''}"
        )
    out.print(rows)
    rows = table("condition", "sets", "", title="Conditions (--condition NAME)")
    for name, condition in study.conditions.items():
        rows.add_row(name, ", ".join(f"{k}={v}" for k, v in _plain(condition.set).items()), condition.about)
    out.print(rows)
    rows = table("size", "seeds", "steps", "what was cut", title="Sizes (--size NAME)")
    for name, size in study.sizes.items():
        rows.add_row(name, str(size.seeds), str(size.steps), size.about)
    out.print(rows)
    rows = table("claim", "effect", "claimed", "published", title="Claims")
    for claim in study.claims:
        rows.add_row(
            claim.text,
            claim.test.words(),
            bound({"margin": claim.margin, "direction": claim.direction}),
            claim.published,
        )
    out.print(rows)


def _plain(values: Any) -> dict[str, Any]:
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in values.items()}


@app.command()
def sites(slug: str, as_json: Json = False) -> None:
    """The places inside a study's step, or a language model, that can be read, clamped or damaged. Runs nothing."""
    from .. import assets

    if slug in assets.ASSETS and assets.ASSETS[slug].kind == "language model":
        from ..lm.embedded import sites as sites_of_model

        found = sites_of_model(slug)
        hint = f'python: open_embedded("{slug}").edited(el.Ablate("{found[-3].name}"))'
    else:
        from ..catalogue import find
        from ..engine.compiled import sites as sites_of

        study = find(slug)
        found = sites_of(study.system(**dict(study.sizes["quick"].set)))
        hint = f"emergelab run {slug} --clamp {found[-1].name}=0@100:200"
    if as_json:
        print_json([{"name": s.name, "shape": list(s.shape), "dtype": s.dtype, "where": s.where} for s in found])
        return
    from ..terminal import console, table

    made = table("site", "shape", "type", "announced in")
    for s in found:
        made.add_row(s.name, "x".join(map(str, s.shape)) or "scalar", s.dtype, s.where)
    console().print(made)
    print(f"next: {hint}")
