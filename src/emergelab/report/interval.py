"""An interval drawn against the margin that a claim set itself, as an inline SVG.

The shaded part is where the claim holds: beyond the margin for `>` and `<`, within both margins for `=`. So
the verdict can be read off the picture: the whole bar inside the shade is "supported", the whole bar outside
is "refuted", anything else is "inconclusive".
"""

from __future__ import annotations

import math
from html import escape

WIDTH, HEIGHT = 420, 52
_TOP, _BOTTOM, _MIDDLE = 5.0, 33.0, 19.0
_LABELS = 47.0
_EDGE = 6.0


def number(x: float | None) -> str:
    """A number for reading: three significant digits, a true minus sign, no exponent below ten million."""
    if x is None or math.isnan(x):
        return "n/a"
    if math.isinf(x):
        return "∞" if x > 0 else "\N{MINUS SIGN}∞"
    if x == 0:
        return "0"
    if abs(x) >= 1e7 or abs(x) < 1e-4:
        mantissa, exponent = f"{x:.2e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    elif abs(x) >= 1000:
        text = f"{x:,.0f}"
    else:
        text = f"{x:.{max(0, 2 - math.floor(math.log10(abs(x))))}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "\N{MINUS SIGN}")


def estimate_words(value: float, low: float | None, high: float | None) -> tuple[str, str, str]:
    """Value, low and high end with one number of decimals: as many as show two digits of the interval's
    width.

    Without a finite interval the value alone is written by `number`, and the ends are empty or infinite.
    """
    low, high = _known(low), _known(high)
    if low is None or high is None:
        return number(value), "", ""
    width = high - low
    if not math.isfinite(width) or width <= 0 or not 1e-4 <= width < 1e7 or abs(value) >= 1e7:
        return number(value), number(low), number(high)
    decimals = max(0, 1 - math.floor(math.log10(width)))
    # Adding zero turns the minus zero that rounding may leave into zero.
    first, second, third = (
        f"{round(x, decimals) + 0.0:,.{decimals}f}".replace("-", "\N{MINUS SIGN}") for x in (value, low, high)
    )
    return first, second, third


def holds(direction: str, margin: float | None) -> str:
    """In words, where a claim of this direction and margin holds; empty when there is no margin."""
    if margin is None:
        return ""
    size = number(abs(margin))
    return {
        ">": f"above {size}",
        "<": f"below \N{MINUS SIGN}{size}",
        "=": f"within ±{size}",
    }.get(direction, "")


def interval_svg(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    direction: str,
    margin: float | None,
    verdict: str = "untested",
) -> str:
    """Draw one estimate with its interval relative to the margin of its claim.

    Args:
        value: the estimate; None or NaN when there is none (then the result is the empty string).
        low: lower end of the interval; None or NaN when no interval is claimed (then only the dot is drawn).
        high: upper end of the interval, likewise. An infinite end runs to the edge of the picture.
        direction: `>`, `<` or `=`, as in the claim.
        margin: the claim's margin, positive; None draws zero alone.
        verdict: the CSS class that colours the bar.

    Returns:
        An `<svg>` element as text, to be coloured by the page's style sheet.
    """
    value, low, high, margin = (_known(x) for x in (value, low, high, margin))
    if value is None or math.isinf(value):
        return ""
    size = abs(margin) if margin is not None and math.isfinite(margin) else None
    thresholds: list[float] = []
    if size is not None:
        thresholds = {">": [size], "<": [-size], "=": [-size, size]}.get(direction, [])
    points = [0.0, value, *thresholds, *(x for x in (low, high) if x is not None and math.isfinite(x))]
    left, right = min(points), max(points)
    span = (right - left) or 1.0
    left, right = left - 0.10 * span, right + 0.10 * span

    def x(at: float) -> float:
        at = min(max(at, left), right)
        return round(_EDGE + (at - left) / (right - left) * (WIDTH - 2 * _EDGE), 1)

    parts = [f'<rect class="ground" x="0" y="{_TOP}" width="{WIDTH}" height="{_BOTTOM - _TOP}" rx="4"/>']
    if thresholds:
        start, stop = {">": (x(thresholds[0]), WIDTH), "<": (0.0, x(thresholds[0]))}.get(
            direction, (x(thresholds[0]), x(thresholds[-1]))
        )
        width = round(stop - start, 1)
        parts.append(f'<rect class="holds" x="{start}" y="{_TOP}" width="{width}" height="{_BOTTOM - _TOP}" rx="4"/>')
    for at in (0.0, *thresholds):
        kind = "zero" if at == 0.0 else "margin"
        parts.append(f'<line class="{kind}" x1="{x(at)}" x2="{x(at)}" y1="{_TOP}" y2="{_BOTTOM + 3}"/>')
    parts.extend(_labels([(x(at), number(at)) for at in thresholds], x(0.0)))
    if low is not None and high is not None:
        a, b = x(low), x(high)
        parts.append(f'<line class="bar" x1="{a}" x2="{b}" y1="{_MIDDLE}" y2="{_MIDDLE}"/>')
        for end, at in ((low, a), (high, b)):
            if math.isfinite(end):
                parts.append(f'<line class="cap" x1="{at}" x2="{at}" y1="{_MIDDLE - 5}" y2="{_MIDDLE + 5}"/>')
    parts.append(f'<circle class="dot" cx="{x(value)}" cy="{_MIDDLE}" r="4.2"/>')
    words = f"estimate {number(value)}"
    if low is not None and high is not None:
        words += f", interval {number(low)} to {number(high)}"
    if thresholds:
        words += f"; the claim holds {holds(direction, size)}"
    return (
        f'<svg class="interval {escape(verdict, quote=True)}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(words, quote=True)}">'
        + "".join(parts)
        + "</svg>"
    )


def _known(x: float | None) -> float | None:
    """The number as a float; None for None and for NaN."""
    return None if x is None or math.isnan(float(x)) else float(x)


def _labels(marks: list[tuple[float, str]], zero: float) -> list[str]:
    """Texts under the margins and under zero; zero's is dropped where it would run into a margin's."""
    texts = list(marks)
    if all(abs(at - zero) > 9 + 3.4 * len(text) for at, text in marks):
        texts.append((zero, "0"))
    placed = []
    for at, text in texts:
        half = 3.4 * len(text)
        centre = round(min(max(at, half + 1), WIDTH - half - 1), 1)
        placed.append(f'<text x="{centre}" y="{_LABELS}" text-anchor="middle">{escape(text)}</text>')
    return placed
