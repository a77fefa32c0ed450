"""The system of the study `steering`: an agent plays bandits, then its certainty is looked for inside it and moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import special

import emergelab as el
from emergelab.lm import RATES, Ask, Choice, count, decide, rates
from emergelab.nn import steering

from ._policies import OPENED, POLICIES, chances, confidence, thompson
from ._prompts import WORDINGS, History
from ._specimens import LAYERS, Answers, Planted, Specimen, Steer, Telling, model_of

__all__ = ["DOSES", "KINDS", "Steering", "name_of"]

DOSES = (-2.0, -1.0, 1.0, 2.0)
"""Strengths in the middle layer, times the parameter `dose`."""
KINDS = ("shuffled", "random", "mean", "ridge", "quarters")
"""Directions that EAST is compared with."""


def name_of(layer: str, dose: float) -> str:
    """Name of the observable that holds the entropy under EAST at so many doses after a layer."""
    return f"h_{layer}_{'plus' if dose > 0 else 'minus'}_{abs(dose):g}"


def _bits(name: str, about: str, low: float | None = 0.0) -> el.Observable:
    return el.Observable(name, unit="bit", about=about, low=low, nan_ok=True)


def _share(name: str, about: str) -> el.Observable:
    return el.Observable(name, unit="1", about=about, low=0, high=1, nan_ok=True)


_found, _r2 = jax.jit(steering.directions, static_argnums=4), jax.jit(steering.r2)
_STEERED = [("middle", d) for d in DOSES] + [("early", 1.0), ("late", 1.0)]


class Steering(el.HostSystem):
    """The first `horizon` steps are rounds, in which all bandits are played at once; the next one is the examination.

    Further steps change nothing.
    """

    policy: str = el.choice("model", options=tuple(POLICIES), static=True, about="who pulls")
    wording: str = el.choice("machines", options=tuple(WORDINGS), static=True, about="how the bandit is told")
    bandits: int = el.static(6, low=2, high=200, about="bandits of a seed, an even number")
    horizon: int = el.static(6, low=2, high=100, about="pulls of each bandit")
    dose: float = el.param(
        1.0, low=0.0, high=100.0, about="length of a vector of strength 1, in spreads of the activations"
    )

    observables = (
        _bits("h", "entropy of the choices of this round"),
        _bits("h_thompson", "entropy of Thompson's choices at the same histories"),
        _bits("gap", "h_thompson - h: overconfidence", low=None),
        el.Observable("regret", about="mean summed regret so far, in points", nan_ok=True),
        _share("switches", "bandits in which another arm than in the last round was pulled"),
        _share("suffix_failure", "bandits whose second half never tries the best arm"),
        _bits("slope", "of h on how far the leading arm is ahead, per standard deviation", low=None),
        _bits("slope_thompson", "the same for Thompson's choices", low=None),
        _bits("h_base", "entropy at the prompts of the examination, not steered"),
        *(_bits(name_of(layer, d), f"the same, steered by EAST after the {layer} layer") for layer, d in _STEERED),
        *(_bits(f"h_{kind}", "the same, steered along another direction, middle layer, strength 1") for kind in KINDS),
        _bits("h_hot", "the same, not steered, at temperature 2"),
        _share("explore_base", "probability of the arm that is behind, not steered"),
        _share("explore_east", "the same, steered by EAST, middle layer, strength 1"),
        _share("mass_base", "probability that an option is named, not steered"),
        _share("mass_east", "the same, steered by EAST, middle layer, strength 1"),
        _share("mass_strong", "the same at strength 2"),
        _share("doubt_base", "probability of calling oneself unsure, not steered"),
        _share("doubt_east", "the same, steered by EAST, middle layer, strength 1"),
        _bits("h_other_base", "entropy in the other wording, not steered"),
        _bits("h_other_east", "the same, steered by the first wording's vector"),
        el.Observable("bias", unit="nat", about="the most that order and letter moved a log-probability", nan_ok=True),
        el.Observable("damage", unit="nat", about="divergence of next words of a neutral text, EAST", nan_ok=True),
        el.Observable("damage_strong", unit="nat", about="the same at strength 2", nan_ok=True),
        el.Observable("damage_random", unit="nat", about="the same, a random direction", nan_ok=True),
        el.Observable("r2", unit="1", about="of a ridge regression of h on activations, on new bandits", nan_ok=True),
        *RATES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bandits % 2:
            raise el.UserError(
                f"Steering: parameter 'bandits' must be even (one half makes vectors, the other half tests them), got "
                f"{self.bandits}"
            )

    async def init(self, seed: int) -> Any:
        """Means of the arms, in points, and nothing pulled."""
        rng = np.random.default_rng([seed, 4_093])
        means = 50 + 10 * rng.normal(size=(self.bandits, 2))
        return {
            "means": means.tolist(), "histories": [[] for _ in means], "p": [], "found": {}, "tally": {},
        }  # fmt: skip

    async def step(self, state: Any, context: Any) -> Any:
        """A round, or the examination."""
        if context.time < self.horizon:
            return await self._round(state, context)
        if context.time == self.horizon:
            state["found"] = self._slopes(state)
            if self.policy in OPENED:
                found = _examine(self._specimen(context), self._telling(context.seed), self._split(state), self)
                state["found"] |= found
                context.emit("examined", **{k: v for k, v in found.items() if v == v})
        return state

    def _specimen(self, context: Any) -> Specimen:
        return model_of(context.lm.lm, context.condition) if self.policy == "model" else Planted(context.seed)

    def _telling(self, seed: int, wording: str | None = None) -> Telling:
        """Two names of the wording's, drawn for each seed."""
        wording = wording or self.wording
        rng = np.random.default_rng([seed, 2_039])
        first, second = rng.permutation(WORDINGS[wording].names)[:2]
        return Telling(wording, (str(first), str(second)), seed)

    # -- playing ----------------------------------------------------------------------------------------------------

    async def _round(self, state: Any, context: Any) -> Any:
        telling = self._telling(context.seed)
        if self.policy == "model" and context.time == 0:
            self._specimen(context)  # a model that cannot be opened is refused before it is asked for anything
        histories = _tuples(state["histories"])
        p = None if self.policy == "model" else self._chances(histories, telling)
        asks = [
            Ask(
                agent=f"bandit {i}",
                kind=Choice(telling.names),
                fallback=telling.names[0],
                prompt=WORDINGS[self.wording].prompt(history, telling.names),
                observation={"history": [list(pull) for pull in history]} | ({} if p is None else {"p": p[i].tolist()}),
                template=f"{self.wording}/pull",
            )
            for i, history in enumerate(histories)
        ]
        decisions = await decide(POLICIES[self.policy], asks, context)
        count(state["tally"], decisions)
        if p is None:
            p = np.array([
                [d.probabilities[name] for name in telling.names] if d.probabilities else [np.nan, np.nan]
                for d in decisions
            ])  # fmt: skip
        state["p"].append(p.tolist())
        errors = np.random.default_rng([context.seed, context.time, 1_021]).normal(size=(self.bandits, 2))
        for i, decision in enumerate(decisions):
            arm = telling.names.index(decision.value)
            points = round(state["means"][i][arm] + 10 * float(errors[i, arm]))
            state["histories"][i].append([arm, int(points)])
        return state

    def _chances(self, histories: Sequence[History], telling: Telling) -> Float[np.ndarray, "history 2"]:
        if self.policy == "softmax":
            return Planted(telling.seed).choose(histories, telling).p
        return chances(self.policy, histories)

    def _split(self, state: Any) -> tuple[list[History], list[History]]:
        """Prompts from which vectors are made, and prompts at which they are tried, of different bandits.

        Each of the former is there twice, once with its arms exchanged, so that no vector can point at an arm.
        """
        whole, half, n = _tuples(state["histories"]), self.bandits // 2, self.horizon
        made = [h[:t] for h in whole[:half] for t in sorted({1, 2, max(1, round(2 * n / 3)), n})]
        mirrored = [tuple((1 - arm, points) for arm, points in h) for h in made]
        tried = sorted({max(1, round(n * share)) for share in (1 / 3, 2 / 3, 1)})
        return made + mirrored, [h[:t] for h in whole[half:] for t in tried]

    def _slopes(self, state: Any) -> dict[str, float]:
        """How entropy falls with evidence, from the third round on."""
        whole = _tuples(state["histories"])
        rounds = range(min(2, self.horizon - 1), self.horizon)
        before = [h[:t] for t in rounds for h in whole]
        h = _entropy(np.concatenate([np.array(state["p"][t]) for t in rounds]))
        x = confidence(before)
        x = x - x.mean()
        return {
            "slope": float((x * h).sum() / (x**2).sum()),
            "slope_thompson": float((x * _entropy(thompson(before))).sum() / (x**2).sum()),
        }

    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        """The round just played; after the examination also what was found."""
        out = {o.name: float("nan") for o in self.observables}
        histories, rounds = _tuples(state["histories"]), len(state["p"])
        if rounds:
            h = _entropy(np.array(state["p"][-1])).mean()
            best = _entropy(thompson([h[: rounds - 1] for h in histories])).mean()
            means, arms = np.array(state["means"]), np.array([[arm for arm, _ in h] for h in histories])
            got = np.take_along_axis(means, arms, axis=1)
            out |= {
                "h": h, "h_thompson": best, "gap": best - h,
                "regret": (means.max(axis=1, keepdims=True) - got).sum(axis=1).mean(),
            }  # fmt: skip
            if rounds > 1:
                out["switches"] = (arms[:, -1] != arms[:, -2]).mean()
            if rounds == self.horizon:
                late = arms[:, self.horizon // 2 :] == means.argmax(axis=1)[:, None]
                out["suffix_failure"] = (~late.any(axis=1)).mean()
        return out | state["found"] | rates(state["tally"])


def _tuples(histories: Sequence[Any]) -> list[History]:
    return [tuple((int(arm), int(points)) for arm, points in history) for history in histories]


def _entropy(p: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
    """In bits."""
    return np.asarray(special.entr(p).sum(axis=-1) / np.log(2), float)


def _examine(
    specimen: Specimen, telling: Telling, split: tuple[list[History], list[History]], system: Steering
) -> dict[str, float]:
    """Vectors from one half of the bandits, their effects in the other half."""
    made, tried = split
    z, h = specimen.activations(made, telling), _entropy(specimen.choose(made, telling).p)
    vectors = {layer: _directions(z[i], h, made, telling.seed) for i, layer in enumerate(LAYERS)}

    def steer(layer: str, kind: str, dose: float) -> Steer:
        return Steer(layer, float(system.dose) * dose * vectors[layer][kind])

    def asked(layer: str, kind: str, dose: float) -> Answers:
        return specimen.choose(tried, telling, steer(layer, kind, dose))

    base = specimen.choose(tried, telling)
    east = {(layer, dose): asked(layer, "east", dose) for layer, dose in _STEERED}
    one = steer("middle", "east", 1.0)
    out = {name_of(layer, dose): _mean_entropy(a) for (layer, dose), a in east.items()}
    out |= {f"h_{kind}": _mean_entropy(asked("middle", kind, 1.0)) for kind in KINDS}
    hot = np.sqrt(base.p) / np.sqrt(base.p).sum(axis=1, keepdims=True)
    behind = 1 - np.argmax(thompson(tried), axis=1)[:, None]
    other = system._telling(telling.seed, next(w for w in WORDINGS if w != telling.wording))
    middle = z[LAYERS.index("middle")]
    new = specimen.activations(tried, telling)[LAYERS.index("middle")]
    out |= {
        "h_base": _mean_entropy(base),
        "h_hot": float(_entropy(hot).mean()),
        "explore_base": float(np.take_along_axis(base.p, behind, axis=1).mean()),
        "explore_east": float(np.take_along_axis(east["middle", 1.0].p, behind, axis=1).mean()),
        "mass_base": float(base.mass.mean()),
        "mass_east": float(east["middle", 1.0].mass.mean()),
        "mass_strong": float(east["middle", 2.0].mass.mean()),
        "doubt_base": specimen.doubt(tried, telling),
        "doubt_east": specimen.doubt(tried, telling, one),
        "h_other_base": _mean_entropy(specimen.choose(tried, other)),
        "h_other_east": _mean_entropy(specimen.choose(tried, other, one)),
        "bias": float(base.bias.mean()),
        "damage": specimen.damage(one),
        "damage_strong": specimen.damage(steer("middle", "east", 2.0)),
        "damage_random": specimen.damage(steer("middle", "random", 1.0)),
        "r2": float(_r2(*(jnp.asarray(x, jnp.float32) for x in (middle, h, new, _entropy(base.p))))),
    }
    return out


def _directions(
    z: Float[np.ndarray, "history width"], h: Float[np.ndarray, "history"], histories: Sequence[History], seed: int
) -> dict[str, Float[np.ndarray, "width"]]:
    lengths = np.array([len(history) for history in histories], np.int32)
    key = jax.random.fold_in(jax.random.key(seed), 509)
    found = _found(
        key, jnp.asarray(z, jnp.float32), jnp.asarray(h, jnp.float32), jnp.asarray(lengths), int(lengths.max()) + 1
    )
    return dict(zip(steering.KINDS, np.asarray(found, np.float32), strict=True))


def _mean_entropy(answers: Answers) -> float:
    return float(_entropy(answers.p).mean())
