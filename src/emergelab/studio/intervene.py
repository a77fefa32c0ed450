"""The page that does something to a run: a site, what is done to it, when, and from which state on."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import panel as pn

from ..errors import RunError, SiteError, UserError
from .pieces import html, notice, raised, worked

if TYPE_CHECKING:
    from .._site import SiteInfo
    from ..runs.run import Run
    from ..study import Study

__all__ = ["KINDS", "START", "command", "intervene", "sites_of_run"]

KINDS = {
    "clamp: hold it at a value": "clamp",
    "ablate: put zeros in its place": "ablate",
    "shift: add a value": "shift",
    "scale: multiply by a value": "scale",
    "swap: exchange two rows": "swap",
}
"""What can be done to a site, in words, and the option of the command line that does it."""
START = "the start (run again)"
_HINTS = {
    "clamp": ("Value", "a number, or a list such as [1, 0, 0]"),
    "shift": ("Add", "a number, or a list such as [1, 0, 0]"),
    "scale": ("Multiply by", "a number, or a list such as [1, 0, 0]"),
    "swap": ("Rows", "two numbers of rows, such as 0,5"),
    "ablate": ("Value", "none is needed"),
}
_EXAMPLES = {"clamp": "0", "shift": "1", "scale": "0.5", "swap": "0,1", "ablate": ""}


def sites_of_run(run: Run, study: Study) -> list[SiteInfo]:
    """The sites of a study at the size of a run, by abstract evaluation: nothing is computed.

    Raises:
        UserError: the system's sites are known only while it runs.
    """
    from ..engine.compiled import sites

    size = study.sizes.get(run.info.get("size") or "quick") or study.sizes["quick"]
    return sites(study.system(**dict(size.set)))


def command(
    run: Run,
    *,
    kind: str,
    site: str,
    value: str = "",
    start: int | None = None,
    stop: int | None = None,
    at: int | None = None,
    conditions: Sequence[str] = (),
    out: str = "",
) -> list[str]:
    """The arguments after `emergelab` that grow the run with an intervention.

    Args:
        run: what is forked, or run again from the start.
        kind: clamp, ablate, shift, scale or swap.
        site: name or glob pattern.
        value: as it is typed; checked here. Ablate takes none.
        start, stop: window in steps, start inclusive, stop exclusive; None: open.
        at: one of `run.kept`; None runs again from the start.
        conditions: some of the run's, empty for all.
        out: folder of the new run.

    Raises:
        UserError: a value that is none, a window that is empty or begins before the fork, a time that was not kept,
            or a run that cannot be told again in one command.
    """
    if not site:
        raise UserError("choose a site")
    if kind not in KINDS.values():
        raise UserError(f"the kind must be one of {', '.join(KINDS.values())}, got {kind!r}")
    if start is not None and stop is not None and stop <= start:
        raise UserError(f"the window must end after it begins, got {start} to {stop}")
    if at is not None and stop is not None and stop <= at:
        raise UserError(f"the window ends at {stop}, before anything is grown: the fork begins at {at}")
    given = site + (f"={_typed(kind, value)}" if kind != "ablate" else "")
    if start is not None or stop is not None:
        given += f"@{'' if start is None else start}:{'' if stop is None else stop}"
    if at is not None:
        if at not in run.kept:
            raise UserError(f"no state of step {at} was kept; kept are {', '.join(map(str, run.kept)) or 'none'}")
        arguments = ["fork", run.path, "--at", str(at)]
    else:
        arguments = _again(run)
    arguments += [f"--{kind}", given]
    known = set(run.info["conditions"])
    chosen = [c for c in conditions if c in known]
    # A run of the whole study is told by its size; names are needed only for a part of it, or after a part.
    for name in chosen or (() if at is not None else run.info["conditions"]):
        arguments += ["--condition", str(name)]
    return [*arguments, *(["--out", out] if out else [])]


def _typed(kind: str, value: str) -> str:
    """A value as it is typed, checked to be numbers; in JSON without blanks."""
    text = value.strip()
    if kind == "swap":
        found = re.fullmatch(r"(\d+)\s*,\s*(\d+)", text)
        if not found:
            raise UserError(f"swap takes two numbers of rows such as 0,5, got {text!r}")
        return f"{found[1]},{found[2]}"
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if isinstance(read, (bool, int, float)) or (isinstance(read, list) and read):
        return json.dumps(read, separators=(",", ":"))
    raise UserError(f"the value must be a number or a list of numbers, got {text!r}")


def _again(run: Run) -> list[str]:
    """The arguments that grow a run from the start: its study, size, seeds, and parameters that were set by hand."""
    info = run.info
    if not info.get("study") or not info.get("size"):
        raise UserError("this run was not made of a study's size, so no command line can tell it again")
    seeds = list(info["seeds"])
    if seeds != list(range(len(seeds))):
        raise UserError("this run has seeds of its own choice, which the command line cannot name")
    before = shlex.split(str(info.get("provenance", {}).get("command", "")))
    set_by_hand = [before[i + 1] for i, word in enumerate(before[:-1]) if word == "--set"]
    said = [x for pair in set_by_hand for x in ("--set", pair)]
    # Clamps and their like are what the new run is compared with, so they stay.
    for kind in KINDS.values():
        said += [x for i, w in enumerate(before[:-1]) if w == f"--{kind}" for x in (w, before[i + 1])]
    return ["run", str(info["study"]), "--size", str(info["size"]), "--seeds", str(len(seeds)), *said]


def intervene(run: Run, study: Study | None, launch: Callable[[Sequence[str]], None]) -> pn.viewable.Viewable:
    """Pick a site, what is done to it, when, and from where; see the command line; start it.

    Args:
        run: what is forked or run again.
        study: whose sites are listed; None for a run without one.
        launch: starts `emergelab ARGUMENTS` as a process; raises `UserError` where it may not.
    """
    if study is None:
        return notice("This run was made without a study, so its sites are not known here; el.fork does it in Python.")
    place = pn.Column(sizing_mode="stretch_width")

    async def opened() -> None:
        found = await worked(lambda: sites_of_run(run, study), place, "listing the sites")
        if found is not None:
            place[:] = [_form(run, study, found, launch)]

    if pn.state.curdoc is not None:
        # Listing traces the system once, which takes seconds: the page stands before.
        pn.state.execute(opened)
    else:
        try:
            place[:] = [_form(run, study, sites_of_run(run, study), launch)]
        except (UserError, SiteError) as error:
            place[:] = [notice(raised(error), wrong=True)]
    return place


def _form(
    run: Run, study: Study, sites: Sequence[SiteInfo], launch: Callable[[Sequence[str]], None]
) -> pn.viewable.Viewable:
    """The form, with the sites listed."""
    if not sites:
        return notice(f"The study {study.slug} announces no sites, so there is nothing to take hold of.")
    shapes = {s.name: f"{s.dtype} {'x'.join(map(str, s.shape)) or 'scalar'}, announced in {s.where}" for s in sites}
    steps, names = int(run.info["steps"]), list(run.info["conditions"])
    site = pn.widgets.AutocompleteInput(
        label="Site (a name, or a pattern such as L.*.pattern)", options=list(shapes), value=next(iter(shapes)),
        min_characters=0, restrict=False, search_strategy="includes", case_sensitive=False, width=320,
    )  # fmt: skip
    kind = pn.widgets.Select(label="What is done", options=KINDS, width=250)
    value = pn.widgets.TextInput(label=_HINTS["clamp"][0], value="0", placeholder=_HINTS["clamp"][1], width=220)
    start = pn.widgets.IntInput(label="From step", value=None, start=0, end=steps, width=120, placeholder="open")
    stop = pn.widgets.IntInput(label="Up to step", value=None, start=0, end=steps, width=120, placeholder="open")
    forks = {f"step {t} (a kept state)": t for t in run.kept if t < steps}
    at = pn.widgets.Select(label="Go on from", options={**forks, START: None}, width=220)
    if forks:
        at.value = next(iter(forks.values()))
    chosen = pn.widgets.MultiChoice(label="Conditions (none named: all)", options=names, width=320)
    told, said = pn.Column(sizing_mode="stretch_width"), pn.Column(sizing_mode="stretch_width")
    begin = pn.widgets.Button(label="Start it", color="primary", margin=(4, 8))
    about = pn.Column(sizing_mode="stretch_width")
    typed = [value.value]

    def arguments() -> list[str]:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        return command(
            run, kind=kind.value, site=str(site.value or "").strip(), value=typed[-1], start=start.value,
            stop=stop.value, at=at.value, conditions=chosen.value,
            out=f"{run.path.rstrip('/')}-{kind.value}-{stamp}",
        )  # fmt: skip

    def wrote(event: Any) -> None:
        typed[:] = [event.new]
        preview()

    def preview(*_: Any) -> None:
        known = shapes.get(str(site.value), "a pattern, or no site of this study")
        about[:] = [html(f"<small>{escape(known)}</small>")]
        try:
            line = shlex.join(["emergelab", *arguments()])
        except (UserError, RunError) as error:
            told[:] = [notice(raised(error), wrong=True)]
            begin.disabled = True
            return
        told[:] = [html(f'<p>This will be run:</p><div class="scroll" tabindex="0"><code>{escape(line)}</code></div>')]
        begin.disabled = False

    def changed_kind(_: Any) -> None:
        value.label, value.placeholder = _HINTS[kind.value]
        value.disabled, value.value = kind.value == "ablate", _EXAMPLES[kind.value]
        typed[:] = [value.value]

    def go(_: Any) -> None:
        try:
            line = arguments()
            launch(line)
        except (UserError, RunError) as error:
            said[:] = [notice(raised(error), wrong=True)]
            return
        new = line[-1].rstrip("/").rsplit("/", 1)[-1]
        said[:] = [notice(f"Started: {new}. It stands among the runs, and can be compared with this one there.")]

    kind.param.watch(changed_kind, "value")
    for widget in (site, kind, start, stop, at, chosen):
        widget.param.watch(preview, "value")
    # While it is typed the text is in `value_input`, afterwards, and when it is set from here, in `value`.
    value.param.watch(wrote, ["value", "value_input"])
    begin.on_click(go)
    preview()
    hint = (
        ""
        if forks
        else "<p>This run kept no states to fork from; <code>emergelab run ... --keep log</code> keeps them at "
        "doubling times. It can be run again from the start.</p>"
    )
    return pn.Column(
        html(
            f"<p>{len(shapes)} sites. The new run equals this one up to the window, seed by seed, and differs "
            f"afterwards only by what is done.</p>{hint}"
        ),
        pn.FlexBox(site, kind, value),
        about,
        pn.FlexBox(start, stop, at, chosen),
        told,
        begin,
        said,
        sizing_mode="stretch_width",
    )
