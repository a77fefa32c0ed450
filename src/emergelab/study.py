"""A study is a published phenomenon made executable: system, conditions, sizes, claims and figures, in one file."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .claims import Claim
from .condition import Condition, as_condition
from .errors import UserError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

    from .runs.run import Run
    from .system import HostSystem, System
    from .views import View

__all__ = ["Figure", "Paper", "Size", "Study"]

FAMILIES = ("societies", "networks", "learners", "languages", "continual", "minds")


@dataclass(frozen=True)
class Paper:
    """A paper that a study stands on."""

    title: str
    authors: str = ""
    year: int | None = None
    url: str = ""

    def __str__(self) -> str:
        tail = f" ({self.year})" if self.year else ""
        return f"{self.authors + ': ' if self.authors else ''}{self.title}{tail}"


@dataclass(frozen=True)
class Size:
    """How large a study is run.

    Args:
        steps, every, seeds: as in `el.run`.
        set: parameters of the base system at this size.
        conditions: those that belong to this size; None is all.
        about: what was cut against the paper, and why.
    """

    steps: int
    every: int
    seeds: int
    set: Mapping[str, Any] = field(default_factory=dict)
    conditions: Sequence[str] | None = None
    about: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture of a run: `draw(run)` returns a matplotlib figure.

    A figure whose conditions a run lacks is left out; `needs` names them.
    """

    name: str
    draw: Callable[[Run], MplFigure]
    caption: str = ""
    needs: Sequence[str] = ()


class Study:
    """A published phenomenon, executable.

    Args:
        slug: lower-case name with hyphens, unique.
        family: one of societies, networks, learners, languages, continual, minds.
        papers: what it reproduces.
        system: the class of its system.
        conditions: name -> parameters that differ from the defaults, or an `el.Condition`.
        sizes: at least "tiny" (seconds, for tests) and "quick" (a minute or two on two cores).
        claims: what the papers state, as tests.
        figures: drawn after every run; the first is the study's headline.
        view: what there is to see of a state, as data (`emergelab.views`); None where there is nothing.
        page: title line and markdown sections; by default the docstring of the system's module.
        lm: whether some of its conditions ask a language model (`--lm`).

    Raises:
        UserError: a wrong slug or family, a missing size, a claim or a size that names an unknown condition.
    """

    def __init__(
        self,
        *,
        slug: str,
        family: str,
        system: type[System] | type[HostSystem],
        conditions: Mapping[str, Any],
        sizes: Mapping[str, Size],
        papers: Iterable[Paper] = (),
        claims: Iterable[Claim] = (),
        figures: Iterable[Figure] = (),
        view: View | None = None,
        page: str | None = None,
        lm: bool = False,
    ) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug):
            raise UserError(f"study: slug must be lower-case words joined by hyphens, got {slug!r}")
        if family not in FAMILIES:
            raise UserError(f"study {slug!r}: family must be one of {', '.join(FAMILIES)}, got {family!r}")
        self.slug, self.family, self.system = slug, family, system
        self.conditions: dict[str, Condition] = {name: as_condition(c) for name, c in conditions.items()}
        self.sizes, self.papers = dict(sizes), tuple(papers)
        self.claims, self.figures, self.view, self.lm = tuple(claims), tuple(figures), view, lm
        self.page = inspect.cleandoc(page or sys.modules[system.__module__].__doc__ or "")
        self._check()

    def _check(self) -> None:
        if not self.page:
            raise UserError(f"study {self.slug!r}: its module needs a docstring; the first line is the title")
        lacking = {"tiny", "quick"} - self.sizes.keys()
        if lacking:
            raise UserError(f"study {self.slug!r}: sizes must include 'tiny' and 'quick', {sorted(lacking)} is missing")
        for size_name, size in self.sizes.items():
            for name in size.conditions or ():
                if name not in self.conditions:
                    raise UserError(
                        f"study {self.slug!r}, size {size_name!r}: no condition "
                        f"{name!r}{nearest(name, self.conditions)}"
                    )
        for claim in self.claims:
            for name in claim.test.conditions:
                if name not in self.conditions:
                    raise UserError(
                        f"study {self.slug!r}, claim {claim.text!r}: no condition "
                        f"{name!r}{nearest(name, self.conditions)}"
                    )

    @property
    def title(self) -> str:
        """The first line of the page."""
        return self.page.splitlines()[0].strip()

    def size(self, name: str) -> Size:
        """A size by name; unknown names raise `UserError`."""
        if name not in self.sizes:
            raise UserError(f"{self.slug}: no size {name!r}{nearest(name, self.sizes)}; sizes: {', '.join(self.sizes)}")
        return self.sizes[name]

    def run(
        self,
        size: str = "quick",
        *,
        seeds: int | Sequence[int] | None = None,
        conditions: Sequence[str] | None = None,
        set: Mapping[str, Any] | None = None,
        interventions: Sequence[Any] = (),
        out: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Run:
        """Run the study at a size.

        Args:
            size: one of `sizes`.
            seeds: number of seeds, or which; None is the size's.
            conditions: names; None is the size's.
            set: parameters that override both size and conditions.
            interventions: done in every condition.
            out, options: as in `el.run`.

        Raises:
            UserError: unknown size, condition or parameter; a value out of range.
        """
        from .engine.driver import run

        chosen = self.size(size)
        names = list(conditions) if conditions else list(chosen.conditions or self.conditions)
        for name in names:
            if name not in self.conditions:
                raise UserError(f"{self.slug}: no condition {name!r}{nearest(name, self.conditions)}")
        if len({*names}) != len(names):
            raise UserError(f"{self.slug}: a condition is named twice in {names}")
        override = dict(set or {})
        base = self.system(**dict(chosen.set)).with_(**override)
        settings = {
            name: Condition({**self.conditions[name].set, **override}, tuple(self.conditions[name].interventions))
            for name in names
        }
        return run(
            base, steps=chosen.steps, every=chosen.every, seeds=chosen.seeds if seeds is None else seeds,
            conditions=settings, interventions=interventions, out=out, study=self.slug, size=size, **options,
        )  # fmt: skip

    def judge(self, run: Run) -> list[dict[str, Any]]:
        """Verdicts on this study's claims, also written to RUN/verdicts.json."""
        from .claims import judge, to_json

        verdicts = judge(run, self.claims)
        run.place.write("verdicts.json", to_json(verdicts).encode())
        return verdicts

    def drawable(self, run: Run) -> list[Figure]:
        """The figures for which the run has the conditions, the headline first."""
        have = {str(c) for c in run.info["conditions"]}
        return [figure for figure in self.figures if set(figure.needs) <= have]

    def draw(self, run: Run) -> list[tuple[Figure, str]]:
        """Draw every figure that the run has the conditions for into RUN/figures; returns (figure, file name)."""
        import io

        drawn = []
        for figure in self.drawable(run):
            picture = figure.draw(run)
            buffer = io.BytesIO()
            picture.savefig(buffer, format="png", dpi=150)
            name = f"figures/{figure.name}.png"
            run.place.write(name, buffer.getvalue())
            drawn.append((figure, name))
        return drawn

    def __repr__(self) -> str:
        return f"Study({self.slug!r}: {self.title})"
