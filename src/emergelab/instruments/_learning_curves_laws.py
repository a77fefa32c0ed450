"""The laws that `learning_curves` fits: each is an amplitude times a falling shape, most with an asymptote.

Everything is written for curves that fall, along ``u = ln(x / first x)`` and ``s``, the same way on the linear axis
(0 at the first record, 1 at the last one used). A law is read on one of two scales. On the *log* scale the response
is ``log y`` and the law is ``exp(alpha) phi + exp(gamma)``; on the *linear* scale it is ``a phi + c`` with a >= 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float
from scipy import special

from emergelab.errors import UserError, nearest

__all__ = ["DEFAULT", "LAWS", "Axis", "Kind", "Law", "chosen_laws"]

Kind: TypeAlias = Literal["log", "linear"]
"""The scale on which residuals are taken."""

_NEVER = 1e-6  # a straight law that has fallen through zero is held at this share of its start on the log scale
_FAR = 60.0  # exponents beyond this are as good as infinite
_Shapes = Float[np.ndarray, "n p"]
_Values = Float[np.ndarray, "n x"]


@dataclass(frozen=True)
class Axis:
    """Where the records lie: their x, and the two axes on which shapes are written."""

    x: Float[np.ndarray, "x"]
    first: float
    last: float

    @property
    def u(self) -> Float[np.ndarray, "x"]:
        """Natural logarithm of x over the first x."""
        return np.log(self.x / self.first)

    @property
    def s(self) -> Float[np.ndarray, "x"]:
        """x on the linear axis, 0 at the first and 1 at the last record used."""
        return (self.x - self.first) / max(self.last - self.first, 1e-12 * self.first)

    @property
    def span(self) -> float:
        """Length of the axis in natural logarithms."""
        return max(float(np.log(self.last / self.first)), 1e-6)

    def at(self, x: Float[np.ndarray, "m"]) -> Axis:
        """The same axis at other places."""
        return Axis(x, self.first, self.last)


@dataclass(frozen=True)
class Law:
    """One family of curves.

    Attributes:
        name: how it is asked for.
        formula: in the reader's terms; y falls (a rising curve has a < 0).
        shape: (shape parameters, axis) -> log of the shape phi; None for a straight law.
        straight: for a straight law the axis it is straight on, "u" or "s"; else "".
        offset: whether it has an asymptote.
        low, high: bounds of the shape parameters, given the span of the log axis.
        natural: (shape parameters, first x, last x) -> names and values in the reader's terms; a name "*" is a factor
            of the amplitude.
        broken: whether it may bend; such a law must lower the error out of sample to be chosen.
    """

    name: str
    formula: str
    shape: Callable[[_Shapes, Axis], _Values] | None
    straight: str
    offset: bool
    low: Callable[[float], tuple[float, ...]]
    high: Callable[[float], tuple[float, ...]]
    natural: Callable[[Float[np.ndarray, "p"], float, float], dict[str, float]]
    broken: bool = False

    def size(self, kind: Kind) -> int:
        """Number of parameters on a scale."""
        return len(self.bounds(kind, 1.0)[0])

    def bounds(self, kind: Kind, span: float) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "p"]]:
        """Bounds of all parameters: amplitude, asymptote (if any), shape."""
        if self.straight:
            if kind == "linear":
                return np.array([0.0, -50.0]), np.array([50.0, 50.0])
            return np.array([-30.0, 0.0]), np.array([30.0, 1.0 if self.straight == "u" else 1.5])
        scale: tuple[list[float], list[float]] = ([-30.0], [30.0]) if kind == "log" else ([0.0], [50.0])
        if self.offset:
            scale[0].append(-14.0 if kind == "log" else -50.0)
            scale[1].append(5.0 if kind == "log" else 50.0)
        return np.array([*scale[0], *self.low(span)]), np.array([*scale[1], *self.high(span)])

    def __call__(self, theta: Float[np.ndarray, "n p"], axis: Axis, kind: Kind) -> Float[np.ndarray, "n x"]:
        """The response (log y, or y) at every x."""
        first = theta[:, :1]
        if self.straight:
            v = axis.u / axis.span if self.straight == "u" else axis.s
            if kind == "linear":
                return theta[:, 1:2] - first * v
            return first + np.log(np.maximum(1 - theta[:, 1:2] * v, _NEVER))
        assert self.shape is not None
        if not self.offset:
            phi = self.shape(theta[:, 1:], axis)
            return first + phi if kind == "log" else first * np.exp(np.clip(phi, -700.0, _FAR))
        phi = self.shape(theta[:, 2:], axis)
        if kind == "log":
            return np.logaddexp(first + phi, theta[:, 1:2])
        return theta[:, 1:2] + first * np.exp(np.clip(phi, -700.0, _FAR))


def _softplus(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _power(p: _Shapes, axis: Axis) -> _Values:
    return -p[:, :1] * axis.u


def _exponential(p: _Shapes, axis: Axis) -> _Values:
    return -np.exp(p[:, :1]) * axis.s


def _hyperbola(p: _Shapes, axis: Axis) -> _Values:
    return -_softplus(axis.u - p[:, :1])


def _logistic(p: _Shapes, axis: Axis) -> _Values:
    return -_softplus(np.exp(p[:, 1:2]) * (axis.u - p[:, :1]))


def _weibull(p: _Shapes, axis: Axis) -> _Values:
    return -np.exp(np.minimum(np.exp(p[:, 1:2]) * (axis.u - p[:, :1]), 6.5))


def _inverse_log(p: _Shapes, axis: Axis) -> _Values:
    return p[:, :1] - np.log(np.maximum(axis.u + np.exp(p[:, :1]), 1e-9))


def _vapour(p: _Shapes, axis: Axis) -> _Values:
    return p[:, :1] * np.expm1(-axis.u) - p[:, 1:2] * axis.u


def _shifted(p: _Shapes, axis: Axis) -> _Values:
    return -p[:, :1] * (np.logaddexp(axis.u, p[:, 1:2]) - np.logaddexp(0.0, p[:, 1:2]))


def _m4(p: _Shapes, axis: Axis) -> _Values:
    """log t, where t / (1 - t)^d = exp(eta - b u): Newton on the logit of t, nearly linear there."""
    d = np.exp(p[:, 2:3])
    right = p[:, :1] - p[:, 1:2] * axis.u
    z = np.where(right > 0, right / d, right)
    for _ in range(8):
        value = -_softplus(-z) + d * _softplus(z) - right
        slope = special.expit(-z) + d * special.expit(z)
        z = z - value / slope
    return -_softplus(-z)


def _broken(p: _Shapes, axis: Axis) -> _Values:
    """Straight pieces on log axes: the slope -c0 gains -c_i beyond d_i, over a width f_i (Caballero et al. 2023)."""
    out = -p[:, :1] * axis.u
    for i in range(1, p.shape[1], 3):
        width = np.exp(p[:, i + 2 : i + 3])
        out = out - p[:, i : i + 1] * width * _softplus((axis.u - p[:, i + 1 : i + 2]) / width)
    return out


def _log(lo: float, hi: float) -> tuple[float, float]:
    return float(np.log(lo)), float(np.log(hi))


def _names_broken(p: Float[np.ndarray, "p"], first: float, last: float) -> dict[str, float]:
    out = {"c0": p[0], "*": first ** p[0]}
    for i in range(1, len(p), 3):
        n = i // 3 + 1
        # moving the origin of the log axis leaves every break as it is: d_i = first * exp(delta_i)
        out |= {f"c{n}": p[i], f"d{n}": first * np.exp(p[i + 1]), f"f{n}": np.exp(p[i + 2])}
    return out


def _bnsl(breaks: int) -> Law:
    def low(span: float) -> tuple[float, ...]:
        return (-1.0, *(-3.0, -0.1 * span, np.log(0.02)) * breaks)

    def high(span: float) -> tuple[float, ...]:
        return (3.0, *(6.0, 1.1 * span, np.log(2.0)) * breaks)

    formula = "c + a x^-c0 prod (1 + (x / d_i)^(1 / f_i))^(-c_i f_i)"
    return Law(f"bnsl{breaks}", formula, _broken, "", True, low, high, _names_broken, broken=True)


def _law(
    name: str,
    formula: str,
    shape: Callable[[_Shapes, Axis], _Values] | None,
    low: Callable[[float], tuple[float, ...]],
    high: Callable[[float], tuple[float, ...]],
    natural: Callable[[Float[np.ndarray, "p"], float, float], dict[str, float]],
    *,
    straight: str = "",
    offset: bool = True,
) -> Law:
    return Law(name, formula, shape, straight, offset, low, high, natural)


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        _law(
            "pow2", "a x^-b", _power, lambda L: (0.0,), lambda L: (5.0,),
            lambda p, x0, x1: {"b": p[0], "*": x0 ** p[0]}, offset=False,
        ),
        _law(
            "pow3", "c + a x^-b", _power, lambda L: (1e-3,), lambda L: (5.0,),
            lambda p, x0, x1: {"b": p[0], "*": x0 ** p[0]},
        ),
        _law(
            "exp3", "c + a exp(-b x)", _exponential, lambda L: (-3.0,), lambda L: (L + 3.0,),
            lambda p, x0, x1: {"b": np.exp(p[0]) / (x1 - x0), "*": np.exp(np.exp(p[0]) * x0 / (x1 - x0))},
        ),
        _law(
            "log2", "a - b ln x", None, lambda L: (), lambda L: (), lambda p, x0, x1: {}, straight="u", offset=False
        ),
        _law(
            "line", "a - b x", None, lambda L: (), lambda L: (), lambda p, x0, x1: {}, straight="s", offset=False
        ),
        _law(
            "hyperbola", "c + a / (1 + x / x0)", _hyperbola, lambda L: (-3.0,), lambda L: (L + 2.0,),
            lambda p, x0, x1: {"x0": x0 * np.exp(p[0])},
        ),
        _law(
            "logistic", "c + a / (1 + (x / x0)^k)", _logistic,
            lambda L: (-3.0, np.log(0.1)), lambda L: (L + 2.0, np.log(20.0)),
            lambda p, x0, x1: {"x0": x0 * np.exp(p[0]), "k": np.exp(p[1])},
        ),
        _law(
            "wbl4", "c + a exp(-(x / x0)^k)", _weibull,
            lambda L: (-3.0, np.log(0.1)), lambda L: (L + 2.0, np.log(10.0)),
            lambda p, x0, x1: {"x0": x0 * np.exp(p[0]), "k": np.exp(p[1])},
        ),
        _law(
            "ilog", "c + a / ln(x / x0)", _inverse_log,
            lambda L: (_log(0.02, 1)[0],), lambda L: (np.log(20 * max(L, 0.1)),),
            lambda p, x0, x1: {"x0": x0 * np.exp(-np.exp(p[0])), "*": np.exp(p[0])},
        ),
        _law(
            "m4", "t / (1 - t)^d = (x / x0)^-b, t = (y - c) / a", _m4,
            lambda L: (-10.0, 1e-2, np.log(0.05)), lambda L: (10.0, 5.0, np.log(20.0)),
            lambda p, x0, x1: {
                "x0": x0 * np.exp(np.clip(p[0] / max(p[1], 1e-9), -300, 300)), "b": p[1], "d": np.exp(p[2])
            },
        ),
        _law(
            "exp2", "a exp(-b x)", _exponential, lambda L: (-6.0,), lambda L: (L + 3.0,),
            lambda p, x0, x1: {"b": np.exp(p[0]) / (x1 - x0), "*": np.exp(np.exp(p[0]) * x0 / (x1 - x0))},
            offset=False,
        ),
        _law(
            "vap3", "a exp(b / x) x^-k", _vapour, lambda L: (-5.0, 0.0), lambda L: (10.0, 5.0),
            lambda p, x0, x1: {"b": p[0] * x0, "k": p[1], "*": np.exp(-p[0]) * x0 ** p[1]}, offset=False,
        ),
        _law(
            "logpower3", "a / (1 + (x / x0)^k)", _logistic,
            lambda L: (-3.0, np.log(0.1)), lambda L: (L + 2.0, np.log(20.0)),
            lambda p, x0, x1: {"x0": x0 * np.exp(p[0]), "k": np.exp(p[1])}, offset=False,
        ),
        _law(
            "pow4", "c + a (x + d)^-b", _shifted, lambda L: (1e-3, -3.0), lambda L: (5.0, L + 1.0),
            lambda p, x0, x1: {
                "b": p[0], "d": x0 * np.exp(p[1]), "*": np.exp(p[0] * (np.log(x0) + np.logaddexp(0.0, p[1])))
            },
        ),
        _bnsl(1),
        _bnsl(2),
    )
}  # fmt: skip
"""All laws by name. logistic in log x is the curve also called MMF or Hill; wbl4 is also called Janoschek's."""

DEFAULT: tuple[str, ...] = (
    "pow2", "pow3", "exp3", "log2", "line", "hyperbola", "logistic", "wbl4", "ilog", "m4", "bnsl1",
)  # fmt: skip
"""What is fitted if nothing is asked for. bnsl2 has nine parameters; exp2, vap3, logpower3 and pow4 (Mohr et al. 2022)
are near to laws that are tried already. They are fitted on request."""


def chosen_laws(names: Sequence[str] | None, kind: Kind) -> tuple[Law, ...]:
    """The laws asked for; without an asymptote a law that never ends is only defined on the log scale.

    Raises:
        UserError: an unknown name, or nothing left on this scale.
    """
    wanted = DEFAULT if names is None else ((names,) if isinstance(names, str) else tuple(names))
    for name in wanted:
        if name not in LAWS:
            raise UserError(f"learning_curves: no law {name!r}{nearest(str(name), LAWS)}")
    asked = [LAWS[name] for name in dict.fromkeys(wanted)]
    laws = tuple(law for law in asked if kind == "log" or law.offset or law.straight)
    if not laws:
        told = " and ".join(law.name for law in asked)
        raise UserError(f"learning_curves: {told} without an asymptote can only be fitted to positive, falling curves")
    return laws
