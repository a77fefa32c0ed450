"""The page that judges a run: its claims with their intervals, verdicts, evidence and figures."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import panel as pn

from ..report.interval import estimate_words, holds, number
from ..runs.checks import one_line
from .pieces import html, notice, picture, plain_table, worked

if TYPE_CHECKING:
    from ..runs.run import Run
    from ..study import Study

__all__ = ["judging", "published_effect"]

_WIDTH, _HEIGHT, _EDGE = 560.0, 30.0, 8.0
_TICKS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
_WORDS = ("supported", "refuted", "inconclusive", "untested")
_TEXTS = ("direction", "unit", "test", "published", "about", "method", "reason", "note")
_NUMBERS = ("margin", "value", "low", "high", "level", "seeds", "p", "p_raw", "more_seeds")

_STYLE = """
.claim { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 2px 18px; padding: 6px 0;
  border-top: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
svg text { fill: currentColor; font-size: 11px; }
.claim.axis { border: none; padding: 0; position: sticky; top: 0; }
@media (max-width: 760px) { .claim { grid-template-columns: minmax(0, 1fr); } .axis svg text { font-size: 16px; } }
.claim h4 { font-size: 14px; font-weight: 600; margin: 0 0 2px; }
.claim p { margin: 2px 0; }
.claim summary { font-size: 13px; }
svg { display: block; width: 100%; height: auto; }
svg .ground { fill: currentColor; opacity: 0.07; }
svg .holds { fill: currentColor; opacity: 0.13; }
svg .zero { stroke: currentColor; opacity: 0.6; }
svg .margin { stroke: currentColor; opacity: 0.6; stroke-dasharray: 4 3; }
svg .bar { stroke-width: 3; stroke: #5B616B; }
svg .dot { fill: #5B616B; stroke: #fff; stroke-width: 1; }
svg .supported .bar { stroke: #0A8F6C; } svg .supported .dot { fill: #0A8F6C; }
svg .refuted .bar { stroke: #D9432F; } svg .refuted .dot { fill: #D9432F; }
svg .inconclusive .bar { stroke: #C08A00; } svg .inconclusive .dot { fill: #C08A00; }
svg .published { fill: none; stroke: currentColor; stroke-width: 1.8; }
"""


def judging(run: Run, study: Study | None) -> pn.viewable.Viewable:
    """Claims of the run's study with one interval plot, verdicts, evidence and figures; a button judges.

    Args:
        run: growing or finished.
        study: whose claims; None for a run without one.
    """
    if study is None:
        return notice("This run was made without a study, so there are no claims to judge; the tab Questions asks it.")
    if not study.claims:
        return notice(f"The study {study.slug} states no claims; the tab Questions asks the run.")
    verdicts, wrong = _on_disk(run)
    shown = pn.Column(sizing_mode="stretch_width")
    state = pn.Column(sizing_mode="stretch_width")
    button = pn.widgets.Button(label="Judge again" if verdicts else "Judge this run", color="primary", margin=(4, 8))

    async def judge(_: Any) -> None:
        button.disabled = True
        found = await worked(lambda: study.judge(run.refresh()), state, "judging")
        if found is not None:
            shown[:] = _page(run, study, found)
            button.label = "Judge again"
        button.disabled = False

    button.on_click(judge)
    if wrong:
        state[:] = [notice(wrong, wrong=True)]
    shown[:] = _page(run, study, verdicts) if verdicts else [_needs(run, study)]
    return pn.Column(button, state, shown, sizing_mode="stretch_width")


def _on_disk(run: Run) -> tuple[list[dict[str, Any]], str]:
    """Verdicts that the run holds, and one line if they cannot be read."""
    if not run.place.exists("verdicts.json"):
        return [], ""
    try:
        found = json.loads(run.place.read("verdicts.json"))
        if not isinstance(found, list) or not all(_is_verdict(row) for row in found):
            raise ValueError("it holds no list of verdicts")
    except (ValueError, OSError, RecursionError) as error:
        return [], f"verdicts.json cannot be read ({one_line(error)}); judge the run again"
    return found, ""


def _is_verdict(row: Any) -> bool:
    """Whether something from JSON is a verdict whose texts are texts and whose numbers are numbers."""
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or row.get("verdict") not in _WORDS:
        return False
    each = row.get("by_seed")
    return (
        all(isinstance(row.get(name), str | None) for name in _TEXTS)
        and all(_is_number(row.get(name)) for name in _NUMBERS)
        and (each is None or (isinstance(each, list) and all(_is_number(x) for x in each)))
    )


def _is_number(x: Any) -> bool:
    """Whether it is a number that a float can hold, or none."""
    return x is None or isinstance(x, float) or (type(x) is int and abs(x) < 1 << 1000)


def _needs(run: Run, study: Study) -> pn.viewable.Viewable:
    """What judging needs, before anything is judged."""
    seeds, have = len(run.info["seeds"]), {str(c) for c in run.info["conditions"]}
    lacking = sum(not set(claim.test.conditions) <= have for claim in study.claims)
    said = [f"{len(study.claims)} claims wait for a verdict. An interval needs 5 seeds or more; this run has {seeds}."]
    if lacking:
        said.append(f"{lacking} of them need conditions that this run lacks, and will be untested.")
    if run.status != "finished":
        said.append("The run is not finished: it is judged as far as it has come.")
    return notice(" ".join(said))


def _page(run: Run, study: Study, verdicts: Sequence[Mapping[str, Any]]) -> list[pn.viewable.Viewable]:
    """Everything below the button."""
    counts = Counter(str(v["verdict"]) for v in verdicts)
    said = " ".join(f'<span class="badge {w}">{counts[w]} {w}</span>' for w in _WORDS if counts[w])
    claims = {c.text: c for c in study.claims}
    effects = [published_effect(claims.get(str(v["text"]))) for v in verdicts]
    return [html(f"<p>{said}</p>"), html(_plot(verdicts, effects), style=_STYLE), *_figures(run, study)]


def published_effect(claim: Any) -> float | None:
    """The published number on the scale of a claim's effect; None if it cannot be read without guessing.

    Only a text that is one bare number (with a percent sign or a remark in brackets) about a level or a proportion is
    read: of a contrast a single number may be either side or the difference.
    """
    test = getattr(claim, "test", None)
    centre = getattr(test, "value", getattr(test, "of", None))
    if not isinstance(centre, (int, float)) or getattr(test, "statistic", None) is not None:
        return None
    text = re.sub(r"\([^()]*\)", "", str(claim.published)).replace("\N{MINUS SIGN}", "-").strip()
    found = re.fullmatch(r"(?:about |~|≈)?\s*([-+]?\d*\.?\d+)\s*(%?)", text)
    if not found:
        return None
    value = float(found[1])
    if found[2] and not math.isclose(value, float(centre), rel_tol=1e-6):
        # An observable counts percent only where the claim itself compares it with that number.
        value /= 100
    return value - float(centre)


def _plot(verdicts: Sequence[Mapping[str, Any]], effects: Sequence[float | None]) -> str:
    """All claims on one axis: effects in margins, in the direction that is claimed."""
    rows = [_scaled(v, e) for v, e in zip(verdicts, effects, strict=True)]
    seen = [x for row in rows for x in row.values() if x is not None and math.isfinite(x)]
    low, high = min([-1.5, *seen]), max([3.0, *seen])
    parts = [
        "<p><small>Each effect in units of its claim's margin (so 1 is the margin of every claim), to the right if it "
        "goes where the claim says; the shaded part is where the claim holds. Bar: interval over seeds; "
        "◇ published. The scale is linear near zero and logarithmic far from it.</small></p>",
        _axis(low, high),
    ]
    for v, row, effect in zip(verdicts, rows, effects, strict=True):
        parts.append(_claim(v, _strip(v, row, low, high), effect))
    return "".join(parts)


def _scaled(v: Mapping[str, Any], published: float | None) -> dict[str, float | None]:
    """Estimate, both ends and the published number in margins; mirrored where the claim says 'less'."""
    margin, sign = float(v.get("margin") or 1.0), -1.0 if v.get("direction") == "<" else 1.0
    marks = {"value": v.get("value"), "low": v.get("low"), "high": v.get("high"), "published": published}
    return {name: None if x is None else sign * float(x) / margin for name, x in marks.items()}


def _x(at: float, low: float, high: float) -> float:
    """Where a number of margins lies, in units of the picture."""
    first, last = math.asinh(low), math.asinh(high)
    share = (math.asinh(min(max(at, low), high)) - first) / (last - first)
    return round(_EDGE + share * (_WIDTH - 2 * _EDGE), 1)


def _axis(low: float, high: float) -> str:
    ticks = [t for t in (*(-t for t in reversed(_TICKS[1:])), *_TICKS) if low <= t <= high]
    marks, last = [], -math.inf
    for tick in ticks:
        at, text = _x(tick, low, high), str(tick).replace("-", "\N{MINUS SIGN}")
        if at - last > 10 + 6 * len(text) and at < _WIDTH - 4 * len(text):
            marks.append(f'<text x="{at}" y="12" text-anchor="middle">{text}</text>')
            last = at
    return (
        f'<div class="claim axis"><span></span><svg viewBox="0 0 {_WIDTH:.0f} 16" aria-hidden="true">{"".join(marks)}'
        "</svg></div>"
    )


def _strip(v: Mapping[str, Any], row: Mapping[str, float | None], low: float, high: float) -> str:
    """One claim's line of the plot."""
    both = v.get("direction") == "="
    left, right = _x(-1, low, high) if both else _x(1, low, high), _x(1, low, high) if both else _WIDTH
    parts = [
        f'<rect class="ground" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" rx="4"/>',
        f'<rect class="holds" x="{left}" width="{round(right - left, 1)}" height="{_HEIGHT:.0f}" rx="4"/>',
    ]
    for at, kind in ((0.0, "zero"), (1.0, "margin"), *(((-1.0, "margin"),) if both else ())):
        parts.append(f'<line class="{kind}" x1="{_x(at, low, high)}" x2="{_x(at, low, high)}" y2="{_HEIGHT:.0f}"/>')
    middle = _HEIGHT / 2
    if row["low"] is not None and row["high"] is not None:
        a, b = sorted((_x(row["low"], low, high), _x(row["high"], low, high)))
        parts.append(f'<line class="bar" x1="{a}" x2="{b}" y1="{middle}" y2="{middle}"/>')
    if row["value"] is not None:
        parts.append(f'<circle class="dot" cx="{_x(row["value"], low, high)}" cy="{middle}" r="5"/>')
    if row["published"] is not None:
        at = _x(row["published"], low, high)
        parts.append(f'<path class="published" d="M{at} {middle - 8} l6 8 l-6 8 l-6 -8 z"/>')
    words = escape(_effect_words(v), quote=True)
    verdict = escape(str(v["verdict"]), quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="{words}"><g class="{verdict}">'
        f"{''.join(parts)}</g></svg>"
    )


def _effect_words(v: Mapping[str, Any]) -> str:
    """Estimate, interval and where the claim holds, in its own unit."""
    claimed = f"claimed {holds(str(v.get('direction')), v.get('margin'))}"
    if v.get("value") is None:
        return f"no estimate; {claimed}"
    value, low, high = estimate_words(float(v["value"]), v.get("low"), v.get("high"))
    span = f" [{low}, {high}]" if low else ", no interval"
    unit = f" {v['unit']}" if v.get("unit") not in (None, "", "1") else ""
    return f"{value}{span}{unit}; {claimed}{unit}"


def _claim(v: Mapping[str, Any], strip: str, published: float | None) -> str:
    """One claim: verdict, sentence, picture, numbers, and the evidence behind a click."""
    verdict = escape(str(v["verdict"]))
    told = f"{escape(str(v.get('test', '')))}: {escape(_effect_words(v))}"
    if v.get("published"):
        where = f" (◇ at an effect of {number(published)})" if published is not None else ""
        told += f". Published: {escape(str(v['published']))}{where}"
    why = f"<p><small>{escape(str(v['reason']))}</small></p>" if v.get("reason") else ""
    return (
        f'<div class="claim"><h4><span class="badge {verdict}">{verdict}</span> {escape(str(v["text"]))}</h4>'
        f"<div>{strip}<p><small>{told}</small></p>{why}"
        f"<details><summary>Evidence</summary>{_evidence(v)}</details></div></div>"
    )


def _evidence(v: Mapping[str, Any]) -> str:
    rows = [
        ("seeds", v.get("seeds")),
        ("interval", f"{float(v.get('level') or 0.95):.0%}, {v.get('method') or 'none'}"),
        ("p of this verdict", "n/a" if v.get("p_raw") is None else f"{v['p_raw']:.2g}"),
        ("p (Holm over all claims)", "n/a" if v.get("p") is None else f"{v['p']:.2g}"),
        ("seeds that would settle it", v.get("more_seeds") or ""),
        ("about the margin", v.get("about") or ""),
        ("note", v.get("note") or ""),
    ]
    table = plain_table(("what", "value"), [(k, x) for k, x in rows if x not in ("", None)])
    each = v.get("by_seed") or []
    if not each:
        return table
    numbers = ", ".join("left out" if x is None else number(float(x)) for x in each)
    return f"{table}<p><small>Effect seed by seed: {numbers}</small></p>"


def _figures(run: Run, study: Study) -> list[pn.viewable.Viewable]:
    """The figures that the run holds, or a button that draws them."""
    shown = pn.Column(sizing_mode="stretch_width")
    told = {f.name: f.caption or f.name for f in study.figures}

    def held() -> list[pn.viewable.Viewable]:
        files = {name.removesuffix(".png") for name in run.place.names("figures", ".png")}
        ordered = [name for name in told if name in files]
        return [html(picture(run.place.read(f"figures/{n}.png"), told[n], f"{study.slug}-{n}")) for n in ordered]

    there = held()
    if not study.figures:
        return []
    state = pn.Column(sizing_mode="stretch_width")
    button = pn.widgets.Button(label="Draw the figures again" if there else "Draw the figures", margin=(4, 8))

    async def draw(_: Any) -> None:
        button.disabled = True
        if await worked(lambda: study.draw(run.refresh()), state, "drawing") is not None:
            shown[:] = held()
        button.disabled = False

    button.on_click(draw)
    shown[:] = there
    return [html("<h3>Figures</h3>"), button, state, shown]
