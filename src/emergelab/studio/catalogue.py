"""The catalogue: studies as cards, and a study's page, from which it is run."""

from __future__ import annotations

import datetime
import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import panel as pn

from ..catalogue import Entry, entries, find
from ..errors import UserError
from ..report.assemble import sections
from ..study import Study
from ..system import HostSystem, Parameter, defaults, parameters
from ..terminal import bound
from .pieces import tick
from .processes import Processes
from .runs import Listed, Runs
from .shell import address, asked, chip, html, link, notice

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


# -- cards ------------------------------------------------------------------------------------------------------------


def cards(runs: Runs, processes: Processes) -> tuple[str, Sequence[Any]]:
    """The page of all studies, by family, with a search over slug, family and what emerges."""
    newest = runs.newest()
    search = pn.widgets.TextInput(
        name="Search",
        placeholder="a word: cooperation, attention, language ...",
        sizing_mode="stretch_width",
        max_width=460,
    )
    shown = html(_cards(runs, newest, ""))
    search.param.watch(lambda event: setattr(shown, "object", _cards(runs, newest, event.new)), "value_input")
    return "Studies", [search, shown]


def _cards(runs: Runs, newest: Mapping[str, Listed], words: str) -> str:
    wanted = words.lower().split()
    found = [e for e in entries() if all(w in f"{e.slug} {e.family} {e.title}".lower() for w in wanted)]
    if not found:
        return f'<p class="quiet" role="status">No study has “{escape(words)}” in its name or in what emerges.</p>'
    families: dict[str, list[str]] = {}
    for entry in found:
        families.setdefault(entry.family, []).append(_card(runs, entry, newest.get(entry.slug)))
    count = f'<p class="quiet" role="status">{len(found)} of {len(entries())} studies</p>'
    return count + "".join(
        f'<h2 class="family">{escape(family)}</h2><div class="cards">{"".join(cards)}</div>'
        for family, cards in families.items()
    )


def _card(runs: Runs, entry: Entry, last: Listed | None) -> str:
    picture, foot = "", "not run here yet"
    if last is not None:
        figures = runs.figures(last.name)
        if figures:
            source = escape(address("download", name=last.name, what="figure", file=figures[0]), quote=True)
            picture = f'<img src="{source}" alt="figure of the run {escape(last.name, quote=True)}" loading="lazy">'
        counts = Counter(str(v["verdict"]) for v in runs.verdicts(last.name))
        judged = " ".join(chip(f"{n} {word}").replace(f"{n}-{word}", word) for word, n in counts.items())
        foot = f"{judged or chip(last.status)} {escape(last.name)}"
    return (
        f'<a class="card" href="{escape(address("study", slug=entry.slug), quote=True)}">{picture}<div>'
        f'<h3>{escape(entry.slug)}</h3><p>{escape(entry.title)}</p><span class="foot">{foot}</span></div></a>'
    )


# -- a study ----------------------------------------------------------------------------------------------------------


def study(runs: Runs, processes: Processes) -> tuple[str, Sequence[Any]]:
    """The page of the study that the address names."""
    slug = (asked("slug") or [""])[0]
    found = find(slug)
    listed = [r for r in runs.listing() if r.study == slug]
    text = sections(found.page)
    lead = _markdown(f"{found.title}\n\n{text.pop('')}")
    told = pn.Column(
        *[pn.Card(_markdown(body), title=name, collapsed=i > 0, sizing_mode="stretch_width", margin=(3, 0))
          for i, (name, body) in enumerate(text.items())], sizing_mode="stretch_width",
    )  # fmt: skip
    papers = "".join(f"<li>{_paper(p)}</li>" for p in found.papers)
    before = "".join(f"<li>{link(r.name, 'run', name=r.name)} {chip(r.status)}</li>" for r in listed[:8])
    return slug, [
        lead,
        html("<h2>Run it</h2>"),
        Form(found, processes, runs).view(),
        html(f"<h2>Runs of this study</h2><ul>{before}</ul>") if before else html(""),
        html("<h2>About</h2>"),
        told,
        html(f"<h2>Papers</h2><ul>{papers}</ul>") if papers else html(""),
        html(_claims(found) + _conditions(found) + _sizes(found) + _observables(found)),
        _sites(found),
    ]


def _markdown(text: str) -> pn.pane.Markdown:
    return pn.pane.Markdown(text, css_classes=["words"], sizing_mode="stretch_width", margin=0)


def _paper(paper: Any) -> str:
    words = escape(str(paper))
    web = paper.url.startswith(("https://", "http://"))
    return f'<a href="{escape(paper.url, quote=True)}" rel="noreferrer noopener">{words}</a>' if web else words


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML cells under a heading."""
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<h2>{escape(title)}</h2><div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _claims(found: Study) -> str:
    rows = [
        [escape(c.text), escape(c.test.words()), escape(bound({"margin": c.margin, "direction": c.direction})),
         escape(c.published), " ".join(map(chip, c.expected))]
        for c in found.claims
    ]  # fmt: skip
    return _table("Claims", ("claim", "effect", "claimed", "published", "on record"), rows) if rows else ""


def _conditions(found: Study) -> str:
    rows = [
        [escape(name), escape(", ".join(f"{k}={_short(v)}" for k, v in c.set.items())), escape(c.about)]
        for name, c in found.conditions.items()
    ]
    return _table("Conditions", ("condition", "sets", ""), rows)


def _sizes(found: Study) -> str:
    rows = [[escape(n), str(s.seeds), f"{s.steps:,}", f"{s.every:,}", escape(s.about)] for n, s in found.sizes.items()]
    return _table("Sizes", ("size", "seeds", "steps", "recorded every", "what was cut"), rows)


def _observables(found: Study) -> str:
    rows = [
        [escape(o.name), escape(", ".join(o.dims)), escape(o.unit), escape(o.about)] for o in found.system.observables
    ]
    return _table("Observables", ("observable", "axes", "unit", ""), rows)


def _sites(found: Study) -> pn.viewable.Viewable:
    """Places that can be read and changed, found by tracing the system when they are asked for."""
    place = html("<h2>Sites</h2>")
    ask = pn.widgets.Button(name="Show the sites of a step", button_type="default")

    def show(_: Any) -> None:
        from ..engine.compiled import sites

        try:
            rows = [
                [escape(s.name), "x".join(map(str, s.shape)) or "scalar", escape(s.dtype), escape(s.where)]
                for s in sites(found.system(**dict(found.sizes["quick"].set)))
            ]
            place.object = _table("Sites", ("site", "shape", "type", "announced in"), rows)
            ask.visible = False
        except UserError as error:
            place.object = f'<h2>Sites</h2><p class="notice">{escape(str(error))}</p>'

    ask.on_click(show)
    return pn.Column(place, ask, sizing_mode="stretch_width")


def _short(value: Any) -> str:
    text = str(value.tolist() if hasattr(value, "tolist") else value)
    return text if len(text) <= 40 else text[:37] + "..."


# -- starting a run ---------------------------------------------------------------------------------------------------


class Form:
    """What a run of a study can be given, as controls with their types and ranges, and the command line they make."""

    def __init__(self, found: Study, processes: Processes, runs: Runs) -> None:
        self._study, self._processes, self._runs = found, processes, runs
        self._host = issubclass(found.system, HostSystem)
        self._size = pn.widgets.RadioButtonGroup(name="size", options=list(found.sizes), value="quick")
        self._seeds = pn.widgets.IntInput(name="Seeds", start=1, value=1, width=110)
        self._conditions = pn.widgets.MultiChoice(
            name="Conditions (none chosen: those of the size)",
            options=list(found.conditions),
            sizing_mode="stretch_width",
        )
        self._name = pn.widgets.TextInput(name="Name of the run", value=self._fresh(), width=330)
        self._keep = tick("keep states, to fork from", not self._host, visible=not self._host)
        self._lm = pn.widgets.TextInput(
            name="Language model (--lm)", placeholder="smollm2", visible=found.lm, width=330
        )
        self._about = html("")
        self._controls = {name: control(name, p) for name, p in parameters(found.system).items()}
        self._given: dict[str, Any] = {}
        self._command = html("")
        self._said = pn.Column(sizing_mode="stretch_width")
        self._start = pn.widgets.Button(name="Start the run", button_type="primary", width=160)
        self._start.on_click(self._launch)
        self._size.param.watch(lambda _: self._sized(), "value")
        for widget in (self._seeds, self._conditions, self._name, self._keep, self._lm, *self._controls.values()):
            widget.param.watch(lambda _: self._told(), "value")
        self._sized()

    def view(self) -> pn.viewable.Viewable:
        """The form as a part of a page."""
        known = parameters(self._study.system)
        controls = pn.FlexBox(
            *[pn.Column(w, html(f'<span class="quiet">{escape(known[n].about)}</span>', margin=(0, 10)),
                        width=262) for n, w in self._controls.items()],
            gap="6px 14px", sizing_mode="stretch_width",
        )  # fmt: skip
        return pn.Column(
            html('<span id="size">Size</span>'), self._size, self._about,
            pn.FlexBox(self._name, self._seeds, self._lm, align_items="end", gap="4px 12px"),
            self._conditions, self._keep,
            pn.Card(controls, title="Parameters", collapsed=True, sizing_mode="stretch_width", margin=(6, 0)),
            self._command, self._start, self._said, sizing_mode="stretch_width",
        )  # fmt: skip

    def _fresh(self) -> str:
        return f"{self._study.slug}-{datetime.datetime.now():%Y%m%d-%H%M%S}"

    def _sized(self) -> None:
        """The controls show what the chosen size sets."""
        size = self._study.sizes[self._size.value]
        self._given = {**defaults(self._study.system), **{k: _plain(v) for k, v in size.set.items()}}
        self._about.object = (
            f'<p class="quiet">{size.seeds} seeds x {size.steps:,} steps, recorded every {size.every:,}. '
            f"{escape(size.about)}</p>"
        )
        self._seeds.value = size.seeds
        for name, widget in self._controls.items():
            value = self._given[name]
            widget.value = json.dumps(value) if isinstance(widget, pn.widgets.TextInput) else value
        self._told()

    def arguments(self) -> list[str]:
        """The command line without `emergelab`.

        Raises:
            UserError: no proper name, or a value that is no JSON where an array is needed.
        """
        if not _NAME.match(self._name.value):
            raise UserError(
                f"a run's name has letters, digits, dots, hyphens and underscores, got {self._name.value!r}"
            )
        size = self._study.sizes[self._size.value]
        words = ["run", self._study.slug, "--size", self._size.value]
        if self._seeds.value != size.seeds:
            words += ["--seeds", str(self._seeds.value)]
        for condition in self._conditions.value:
            words += ["--condition", condition]
        for name, widget in self._controls.items():
            value = _read(name, widget)
            if value != self._given[name]:
                words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
        if self._keep.value and not self._host:
            words += ["--keep", "log"]
        if self._lm.value:
            words += ["--lm", self._lm.value]
        return [*words, "--out", self._name.value]

    def _told(self) -> None:
        try:
            line = escape(shlex.join(["emergelab", *self.arguments()]))
            self._command.object = (
                f'<span class="quiet">The same on a command line, in the folder of runs:</span><pre>{line}</pre>'
            )
        except UserError as error:
            self._command.object = f'<p class="notice wrong" role="alert">{escape(str(error))}</p>'

    def _launch(self, _: Any) -> None:
        try:
            name = self._processes.launch(self.arguments())
        except UserError as error:
            self._said[:] = [notice(str(error), wrong=True)]
            return
        self._said[:] = [html(f'<p class="notice" role="status">Started: {link(name, "run", name=name)}</p>')]
        self._name.value = self._fresh()


def control(name: str, known: Parameter) -> Any:
    """A control for a parameter, of its type and in its range, named with its unit."""
    unit = f" [{known.unit}]" if known.unit not in ("", "1") else ""
    if known.kind == "choice":
        return pn.widgets.Select(name=name + unit, options=list(known.options), width=250)
    label = f"{name}{unit}: {known.expected()}"
    if known.shape:
        return pn.widgets.TextInput(name=label, width=250)
    if known.integer:
        low, high = (None if edge is None else int(edge) for edge in (known.low, known.high))
        return pn.widgets.IntInput(name=label, start=low, end=high, width=250)
    return pn.widgets.FloatInput(name=label, start=known.low, end=known.high, step=_step(known), width=250)


def _step(known: Parameter) -> float:
    bounded = known.low is not None and known.high is not None
    return float(known.high - known.low) / 20 if bounded else 0.1  # type: ignore[operator]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple) else value


def _read(name: str, widget: Any) -> Any:
    if not isinstance(widget, pn.widgets.TextInput):
        return widget.value
    try:
        return json.loads(widget.value)
    except ValueError:
        raise UserError(f"{name}: a list of numbers is needed, such as [0.1, 0.2], got {widget.value!r}") from None
