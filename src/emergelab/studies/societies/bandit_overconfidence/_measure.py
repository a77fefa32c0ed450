"""What is observed of the network: how sure it is against what can be known, and what steering does to that."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import bandits as rules
from emergelab.games.bandits_optimal import gaussian_advice, optimal
from emergelab.nn import steering
from emergelab.nn.transformer import Transformer

from ._agent import ARMS, THERE, Answer, Game, answers, played, steered, written
from ._teachers import Episodes, Mix, ideal, lessons

__all__ = ["PLAYERS", "VARIANTS", "Probe", "measures"]

PLAYERS = ("network", "steered", "heated", "thompson", "careless", "greedy", "ucb1", "optimal")
VARIANTS = {
    "same": (0, 1.0, 1.0),
    "other labels": (1, 1.0, 1.0),
    "three arms": (2, 1.0, 1.0),
    "twice the noise": (0, 2.0, 1.0),
    "twice the scale": (0, 1.0, 2.0),
}
"""Variants of the task: which one, how much noisier its rewards are, and by what they are multiplied when written."""
SURE_FROM = 3
"""First round (from 0) of what is counted as overconfidence: before it all players must guess."""


class Probe(NamedTuple):
    """A network and how it is to be looked at; see the parameters of the system."""

    net: Transformer
    mix: Mix
    rounds: int
    games: int
    doses: Float[Array, "dose"]
    dose: Float[Array, ""]
    temperatures: Float[Array, "temperature"]

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.net.blocks)

    @property
    def middle(self) -> int:
        """The block after which controls steer."""
        return self.depth // 2

    def none(self) -> Float[Array, "layer width"]:
        """No steering."""
        return jnp.zeros((self.depth, self.net.embed.shape[1]))

    def after(self, layer: Int[Array, ""] | int, by: Float[Array, "width"]) -> Float[Array, "layer width"]:
        """Steering after one block."""
        return jax.nn.one_hot(layer, self.depth)[:, None] * by

    def streams(self, tokens: Int[Array, "game token"]) -> Float[Array, "layer game token width"]:
        """Unsteered activations after each block at every place."""
        _, held = el.tap(self.net.stream, "L.*.out")(tokens)
        return jnp.stack([held[f"L.{i}.out"] for i in range(self.depth)])


def measures(probe: Probe, key: PRNGKeyArray) -> dict[str, Array]:
    """All observables. Vectors are made from half of the network's own games and used in the other half."""
    of_own, of_kinds, of_teachers = jax.random.split(key, 3)
    means, luck, errors = rules.random_bandits(of_own, 2 * probe.games, ARMS, probe.rounds)
    both = played(probe.net, 0, means, probe.mix.noise, luck, errors, probe.none())
    streams, n = probe.streams(both.tokens[:, :-1]), probe.games
    z, new_z = (streams[:, half].reshape(probe.depth, -1, streams.shape[-1]) for half in (slice(n), slice(n, None)))
    made, used = jax.tree.map(lambda x: x[:n], both), jax.tree.map(lambda x: x[n:], both)
    h = rules.entropy(made.answer.p).reshape(-1)
    rounds = jnp.tile(jnp.arange(probe.rounds), n)
    keys = jax.random.split(of_kinds, probe.depth)
    kinds = jax.vmap(lambda k, layer: steering.directions(k, layer, h, rounds, probe.rounds))(keys, z)
    v = kinds[probe.middle, 0]
    out = _certainty(probe, used) | _temperature(probe, used, streams[-1, n:])
    out |= _answered(probe, used, kinds, of_teachers)
    out |= _direction(probe, used, kinds[probe.middle], z, h, new_z)
    return out | _contest(probe, used, v, (means[n:], luck[:, n:], errors[:, n:]))


class Exam(NamedTuple):
    """Prompts of as many games as there are behind a score, and how the network is steered while it answers them."""

    task: Int[Array, "*exam game"]
    tokens: Int[Array, "*exam game token"]
    shift: Float[Array, "*exam layer width"]


def _answered(probe: Probe, used: Game, kinds: Float[Array, "layer kind width"], key: PRNGKeyArray) -> dict[str, Array]:
    """All that is asked of the network at given prompts; asked in one loop, which is compiled once."""
    doses = _steered_exams(probe, used, kinds)
    others, taught = _other_exams(probe, kinds[probe.middle, 0], key)
    every = jax.tree.map(lambda *parts: jnp.concatenate(parts), doses, others)
    found = jax.lax.map(
        lambda e: answers(probe.net.read(steered(probe.net, e.tokens, e.shift)), e.task[:, None]), every
    )
    first, last = len(doses.task), len(every.task) - 1
    return {
        **_dose_response(probe, used, jax.tree.map(lambda x: x[:first], found)),
        **_transfer(jax.tree.map(lambda x: x[first:last], found)),
        **_taught(probe, taught, jax.tree.map(lambda x: x[last], found)),
    }


def _two(seen: rules.Seen) -> rules.Seen:
    """The two arms that are there in the first task."""
    return rules.Seen(seen.count[..., :2], seen.total[..., :2])


def _certainty(probe: Probe, used: Game) -> dict[str, Array]:
    """Entropies against those of the posterior and of a perfect imitator, and how they answer to evidence."""
    b = rules.belief(_two(used.before), probe.mix.noise)
    h, bayes = rules.entropy(used.answer.p), rules.entropy(rules.thompson(b))
    expected, _ = ideal(probe.mix, _two(used.before), used.arm)
    late = slice(SURE_FROM, None)
    ahead = rules.confidence(b)[:, late].reshape(-1)

    def slope(y: Float[Array, "game round"]) -> Float[Array, ""]:
        x = ahead - ahead.mean()
        return (x * y[:, late].reshape(-1)).sum() / (x**2).sum()

    return {
        "h": h.mean(axis=0), "h_bayes": bayes.mean(axis=0), "h_ideal": rules.entropy(expected).mean(axis=0),
        "gap": (bayes - h)[:, late].mean(), "slope": slope(h), "slope_bayes": slope(bayes), "h_spread": h.std(),
    }  # fmt: skip


def _taught(probe: Probe, taught: Episodes, told: Answer) -> dict[str, Array]:
    """How well it imitates, in games of teachers with two arms."""
    log = jnp.log(jnp.maximum(told.p[..., :2] * told.valid[..., None], 1e-9))
    best, _ = ideal(probe.mix, _two(taught.before), taught.arm)
    return {
        "loss": -jnp.take_along_axis(log, taught.arm[..., None], axis=-1).mean(),
        "excess": (best * (jnp.log(best) - log)).sum(axis=-1).mean(),
    }


def _temperature(probe: Probe, used: Game, last: Float[Array, "game token width"]) -> dict[str, Array]:
    """The network as it is, sampled at temperatures."""
    logits, task = probe.net.read(last), jnp.zeros((len(last), 1), jnp.int32)
    hot = jax.vmap(lambda t: answers(logits, task, t))(probe.temperatures)
    return {
        "h_temperature": rules.entropy(hot.p).mean(axis=(1, 2)),
        "valid_temperature": hot.valid.mean(axis=(1, 2)),
    }


def _steered_exams(probe: Probe, used: Game, kinds: Float[Array, "layer kind width"]) -> Exam:
    """All doses of EAST after each block, then all doses of each kind of direction after the middle one."""
    middle = jnp.full(kinds.shape[1], probe.middle)
    plan = [
        jax.vmap(probe.after)(jnp.arange(probe.depth), kinds[:, 0]), jax.vmap(probe.after)(middle, kinds[probe.middle])
    ]  # fmt: skip
    shifts = jnp.concatenate(plan)[:, None] * probe.doses[:, None, None]
    shifts = shifts.reshape(-1, *shifts.shape[2:])
    tokens = used.tokens[:, :-1]
    return Exam(
        jnp.zeros((len(shifts), probe.games), jnp.int32), jnp.broadcast_to(tokens, (len(shifts), *tokens.shape)), shifts
    )


def _dose_response(probe: Probe, used: Game, a: Answer) -> dict[str, Array]:
    def by_dose(x: Float[Array, "exam"]) -> Float[Array, "what dose"]:
        return x.reshape(-1, len(probe.doses))

    usual, n = used.answer.p, probe.depth
    apart = (usual * (jnp.log2(jnp.maximum(usual, 1e-9)) - jnp.log2(jnp.maximum(a.p, 1e-9)))).sum(axis=-1)
    h = by_dose(rules.entropy(a.p).mean(axis=(1, 2)))
    rest = {"valid_dose": a.valid, "doubt_dose": a.doubt, "kl_dose": jnp.maximum(apart, 0.0)}
    more = {name: by_dose(x.mean(axis=(1, 2)))[:n] for name, x in rest.items()}
    return {"h_dose": h[:n], "h_kind": h[n:], **more}


def _direction(
    probe: Probe,
    used: Game,
    kinds: Float[Array, "kind width"],
    z: Float[Array, "layer prompt width"],
    h: Float[Array, "prompt"],
    new_z: Float[Array, "layer prompt width"],
) -> dict[str, Array]:
    """What the direction holds: the entropy, the teacher, the mean; and what happens without it."""
    prompts, m = used.tokens[:, :-1], probe.middle
    new_h = rules.entropy(used.answer.p).reshape(-1)
    flat = steering.ablated(new_z[m], kinds[0], z[m].mean(axis=0))
    with el.edit(el.Clamp(f"L.{m}.out", flat.reshape(*prompts.shape, -1))):
        without = rules.entropy(answers(probe.net(prompts), jnp.zeros((len(prompts), 1), jnp.int32)).p)
    _, who = ideal(probe.mix, _two(used.before), used.arm)
    along = (new_z[m] - z[m].mean(axis=0)) @ kinds[0]
    raw, mean = kinds[steering.KINDS.index("raw")], kinds[steering.KINDS.index("mean")]
    return {
        "h_ablated": without.mean(), "h_spread_ablated": without.std(),
        "r2": jax.vmap(lambda a, b: steering.r2(a, h, b, new_h))(z, new_z),
        "raw_is_mean": steering.scaled(raw, 1.0) @ steering.scaled(mean, 1.0),
        "who": _correlation(along, 1.0 - who[..., -1].reshape(-1)),
    }  # fmt: skip


def _correlation(x: Float[Array, "n"], y: Float[Array, "n"]) -> Float[Array, ""]:
    x, y = x - x.mean(), y - y.mean()
    scale = jnp.sqrt((x**2).sum() * (y**2).sum())
    # Where there is one kind of teacher only, nothing can go with who it is.
    return jnp.where((y**2).mean() > 1e-10, (x * y).sum() / jnp.maximum(scale, 1e-12), jnp.nan)


def _other_exams(probe: Probe, v: Float[Array, "width"], key: PRNGKeyArray) -> tuple[Exam, Episodes]:
    """Variants of the task, as they are and then steered by the first task's vector, at histories of a Thompson
    sampler, who needs no network to make them; and last, games of all teachers, which are also returned."""
    n, many = probe.games, len(VARIANTS)
    task, louder, scale = (jnp.repeat(jnp.asarray(c), n) for c in zip(*VARIANTS.values(), (0, 1.0, 1.0), strict=True))
    teachers = jnp.concatenate([jnp.tile(jnp.array([1.0, 0.0, 0.0]), (many, 1)), probe.mix.shares[None]])
    mix = probe.mix._replace(shares=jnp.repeat(teachers, n, axis=0), noise=(probe.mix.noise * louder)[:, None])
    made = lessons(key, mix, jnp.asarray(THERE)[task], probe.rounds)
    tokens = written(task, made.arm, scale[:, None] * made.reward)[:, :-1].reshape(many + 1, n, -1)
    shifts = jnp.stack([probe.none(), probe.after(probe.middle, probe.dose * v)])
    order = jnp.array([*range(many), *range(many), many])
    steering_of = jnp.array([0] * many + [1] * many + [0])
    exams = Exam(task.reshape(many + 1, n)[order], tokens[order], shifts[steering_of])
    return exams, jax.tree.map(lambda x: x[many * n :], made)


def _transfer(a: Answer) -> dict[str, Array]:
    before, after = rules.entropy(a.p)[..., SURE_FROM:].mean(axis=(1, 2)).reshape(2, -1)
    return {"transfer_base": before, "transfer_gain": after - before}


def _contest(
    probe: Probe, used: Game, v: Float[Array, "width"], bandits: tuple[Array, Array, Array]
) -> dict[str, Array]:
    """Games of the network, as it is, steered and heated, and of the players of the literature: the same bandits, luck
    and errors for all."""
    means, luck, errors = bandits
    mix, noise = probe.mix, probe.mix.noise
    shifts = jnp.stack([probe.after(probe.middle, probe.dose * v), probe.none()])
    net = jax.vmap(lambda s, t: played(probe.net, 0, means, noise, luck, errors, s, t))(shifts, jnp.array([1.0, 2.0]))
    advice, grid, _ = gaussian_advice(probe.rounds, noise)

    def others(seen: rules.Seen) -> Float[Array, "player game 2"]:
        each = [rules.Seen(seen.count[i], seen.total[i]) for i in range(5)]
        b = [rules.belief(one, noise) for one in each]
        return jnp.stack([
            rules.thompson(b[0]),
            rules.epsilon_greedy(b[1], mix.epsilon),
            rules.greedy_after(b[2], each[2].count.sum(axis=-1), mix.early),
            rules.ucb1(each[3], noise),
            optimal(each[4], advice, grid, noise),
        ])  # fmt: skip

    def for_all(x: Array, axis: int) -> Array:
        return jnp.broadcast_to(jnp.expand_dims(x, axis), (*x.shape[:axis], 5, *x.shape[axis:]))

    made = rules.play(others, for_all(means[:, :2], 0), noise, for_all(luck, 1), for_all(errors, 1))
    arms = jnp.concatenate([used.arm[None], net.arm, made.arm])
    p = jnp.concatenate([used.answer.p[None, ..., :2], net.answer.p[..., :2], made.p])
    truth = jnp.broadcast_to(means[:, :2], (len(PLAYERS), *means[:, :2].shape))
    return {
        "regret": rules.regret(truth, arms)[..., -1].mean(axis=-1),
        "suffix_failure": rules.suffix_failure(truth, arms).mean(axis=-1),
        "commitment": rules.committed(p).mean(axis=-1),
    }
