"""The sixteen atoms of integrated information between two parts now and later (Mediano et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from emergelab.errors import UserError, need
from emergelab.instruments._causal_emergence_info import Estimator, Pairs, Variable, clean, joint_codes, mutual
from emergelab.statistics import estimate, holm

__all__ = ["ATOMS", "HOI_METHODS", "atom_table", "atoms_clean", "atoms_of", "bipartition_of", "hoi_mutual"]

HOI_METHODS = ("gc", "gauss", "knn", "kernel", "binning", "histogram")
"""Entropies that the package hoi brings."""

ATOMS = (
    "rtr", "rtu1", "rtu2", "rts", "u1tr", "u1tu1", "u1tu2", "u1ts",
    "u2tr", "u2tu1", "u2tu2", "u2ts", "str", "stu1", "stu2", "sts",
)  # fmt: skip
"""Atoms: what holds the information now, "t", what holds it later (redundant r, unique u1 and u2, synergistic s)."""

_TOLD = {
    "r": "both parts alike", "u1": "the first part alone", "u2": "the second part alone",
    "s": "only both parts together",
}  # fmt: skip

# the atoms that each quantity of the lattice sums up: which of r, u1, u2, s lie below each of these nodes
_BELOW = {"r": ("r",), "1": ("r", "u1"), "2": ("r", "u2"), "12": ("r", "u1", "u2", "s")}


def atoms_clean(
    pairs: Pairs,
    bipartition: tuple[tuple[int, ...], tuple[int, ...]],
    estimator: Estimator,
    hoi: str | None,
    shifts: Int[np.ndarray, "shift"],
) -> Float[np.ndarray, "atom"]:
    """Atoms of two parts, or of two groups of parts, bias taken off."""
    first, second = bipartition

    def sides(variables: tuple[Variable, ...]) -> tuple[Variable, ...]:
        blocks = [[variables[j] for j in g] for g in (first, second, first + second)]
        return tuple(joint_codes(b) if estimator == "discrete" else np.hstack(b) for b in blocks)

    three = Pairs(sides(pairs.now), sides(pairs.later))
    if hoi is not None:
        return np.asarray(atoms_of(hoi_mutual(three, hoi)[:, :, None])[:, 0])
    found = atoms_of(mutual(three, estimator, shifts))
    return np.array([clean(a) for a in found])


def atoms_of(info: Float[np.ndarray, "3 3 shift"]) -> Float[np.ndarray, "16 shift"]:
    """The sixteen atoms from the information between {first, second, both} now and later.

    The redundancy between any two nodes of the lattice is the least information among the pairs of sources (minimum
    mutual information); atoms follow by inverting the sums over the lattice (Mediano et al. 2021).
    """
    single = {"1": (0,), "2": (1,), "12": (2,), "r": (0, 1)}
    left, right = [], []
    for now, i in single.items():
        for later, j in single.items():
            left.append([(n in _BELOW[now]) * (m in _BELOW[later]) for n, _, m in (a.partition("t") for a in ATOMS)])
            right.append(info[np.ix_(i, j)].min(axis=(0, 1)))
    return np.linalg.solve(np.array(left, dtype=float), np.array(right))


def hoi_mutual(three: Pairs, method: str) -> Float[np.ndarray, "3 3"]:
    """The nine informations by an entropy of the package hoi (on JAX), in bits."""
    measure = need("hoi.core.mi", "instruments", "causal emergence with phiid_estimator").get_mi(method=method)
    kind = int if method == "binning" else float
    return np.array([[float(measure(a.T.astype(kind), b.T.astype(kind))) for b in three.later] for a in three.now])


def bipartition_of(
    phiid: bool | Sequence[Sequence[str]] | None, parts: Sequence[str]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Indices of the two groups whose atoms are asked for; None where none are."""
    if phiid is False or (phiid is None and len(parts) != 2):
        return None
    if phiid is None or phiid is True:
        if len(parts) != 2:
            raise UserError(
                f"causal_emergence: the atoms are defined for two parts and there are {len(parts)}; give "
                f"phiid=([...], [...]) with the names of the parts on each side"
            )
        return (0,), (1,)
    sides = [[str(p) for p in side] for side in phiid]
    flat = [p for side in sides for p in side]
    if len(sides) != 2 or not all(sides) or len(set(flat)) < len(flat) or not set(flat) <= set(parts):
        raise UserError("causal_emergence: phiid=... takes two groups of names of parts that share none")
    first, second = (tuple(list(parts).index(p) for p in side) for side in sides)
    return first, second


def atom_table(
    condition: str, block: Float[np.ndarray, "seed atom"], level: float, boot: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Every atom over seeds, and what several of them sum up to."""
    downward = block[:, [ATOMS.index("stu1")]].sum(axis=1), block[:, [ATOMS.index("stu2")]].sum(axis=1)
    capacity = block[:, [i for i, a in enumerate(ATOMS) if a.startswith("st")]].sum(axis=1)
    named = [(a, _atom_words(a), block[:, i]) for i, a in enumerate(ATOMS)]
    named += [
        ("decoupling", "synergy that stays synergy (sts)", block[:, ATOMS.index("sts")]),
        ("downward", "synergy that becomes one part's own (stu1 + stu2)", downward[0] + downward[1]),
        ("capacity", "emergence capacity: all that both parts together foretell", capacity),
    ]
    estimates = [estimate(values, level=level, draws=boot, rng=rng) for _, _, values in named]
    p = holm(np.array([e.p_greater(0.0) for e in estimates[:16]]))
    rest = [e.p_greater(0.0) for e in estimates[16:]]
    return pd.DataFrame(
        [
            (condition, name, words, e.value, e.low, e.high, min(1.0, 2 * q) if np.isfinite(q) else float("nan"))
            for (name, words, _), e, q in zip(named, estimates, [*p, *rest], strict=True)
        ],
        columns=["condition", "atom", "meaning", "bits", "low", "high", "p_holm"],
    )


def _atom_words(atom: str) -> str:
    now, _, later = atom.partition("t")
    return f"held by {_TOLD[now]}, later by {_TOLD[later]}"
