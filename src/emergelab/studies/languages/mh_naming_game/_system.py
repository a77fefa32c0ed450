"""Two agents with different senses name what they see; a step is a round, in which each speaks once."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games import signalling

from . import _measures as ms
from . import _sampler as sp

__all__ = ["LISTENING", "NamingGame", "Pair", "World"]

LISTENING = ("mh", "constant", "none", "central", "one-mind")
"""Accept by the Metropolis-Hastings ratio; with a fixed chance; talk to oneself; sample words with both minds open;
one mind with both agents' senses."""
AGENTS = ("a", "b")
RADIUS = 5.0
_MH, _CONSTANT, _NONE, _CENTRAL, _ONE = range(5)


class World(eqx.Module):
    """Scenes: what they are, and what each agent senses of them.

    Attributes:
        truth: category of each modality.
        senses: two numbers a modality, of unit variance around the category's mean for this agent.
        novel: categories of scenes whose combination occurs in no scene of `truth`.
        glimpses: senses of those.
    """

    truth: Int[Array, "modality scene"]
    senses: Float[Array, "agent modality scene sense"]
    novel: Int[Array, "modality test"]
    glimpses: Float[Array, "agent modality test sense"]


class Pair(eqx.Module):
    """Two agents. `phi` and `psi` are what words mean to them (`_sampler`).

    Attributes:
        world: scenes, the same in all rounds.
        kinds: what each agent takes each scene for.
        words: the message that each agent holds for each scene.
        means: of each agent's categories.
        phi: P(category | word about this modality).
        psi: P(modality | word).
        accepted: share of messages that each agent accepted in the last round; NaN before the first.
    """

    world: World
    kinds: Int[Array, "agent modality scene"]
    words: Int[Array, "agent scene slot"]
    means: Float[Array, "agent modality category sense"]
    phi: Float[Array, "agent modality word category"]
    psi: Float[Array, "agent word modality"]
    accepted: Float[Array, "agent"]


class NamingGame(el.System):
    """Two agents, complementary senses, words accepted or not; one step is a round."""

    scenes: int = el.static(200, low=8, high=100_000, about="scenes that both agents see in every round")
    tests: int = el.static(40, low=4, high=10_000, about="scenes with combinations of categories never seen")
    categories: int = el.static(4, low=4, high=6, about="categories of each modality")
    modalities: int = el.static(2, low=2, high=4, about="modalities, and words in a message")
    words: int = el.static(8, low=2, high=1000, about="words there are")
    listening: str = el.choice("mh", options=LISTENING, about="what an agent does with a message")
    memory: str = el.choice("own", options=("own", "common"), about="whether a refusal leaves each its own message")
    trust: float = el.param(1.0, low=0.0, high=1.0, unit="1", about="listening constant: chance to accept")
    stubbornness: float = el.param(1.0, low=0.0, high=100.0, unit="1", about="listening mh: power of the ratio")
    amb: float = el.param(
        1.0, low=0.0, high=3.5, unit="1", about="half the distance of an agent's confusable means, in sd of a sense"
    )
    ownership: str = el.choice("learnt", options=("learnt", "none"), about="whether words come to own a modality")
    noise: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="chance that a word arrives as any word")
    alpha: float = el.param(0.1, low=1e-3, high=100.0, unit="1", about="Dirichlet priors of both tables")
    spread: float = el.param(5.0, low=0.1, high=100.0, unit="1", about="sd of a category's mean a priori")

    observables = (
        el.Observable("ari", unit="1", about="adjusted Rand index with the truth, both agents, all modalities", high=1),
        el.Observable("ari_a", unit="1", about="the same of agent a", high=1.0),
        el.Observable("ari_b", unit="1", about="the same of agent b", high=1.0),
        el.Observable("ari_between", unit="1", about="adjusted Rand index of the agents' categories", high=1.0),
        el.Observable("ideal_alone", unit="1", about="ari of one with one agent's senses who knows all means", high=1),
        el.Observable("ideal_both", unit="1", about="ari of one with both agents' senses who knows all means", high=1),
        el.Observable("acceptance", unit="1", about="share of messages accepted", low=0.0, high=1.0, nan_ok=True),
        el.Observable("agreement", unit="1", about="scenes with the same words in both agents", low=0.0, high=1.0),
        el.Observable("chance_agreement", unit="1", about="the same for scenes paired at random", low=0.0, high=1.0),
        el.Observable("kappa", unit="1", about="agreement beyond chance (Cohen)", high=1.0, nan_ok=True),
        el.Observable("novel", unit="1", about="new combinations understood from words alone", low=0.0, high=1.0),
        el.Observable("novel_part", unit="1", about="modalities of new combinations understood", low=0.0, high=1.0),
        el.Observable("novel_scrambled", unit="1", about="novel, with the words of another scene", low=0.0, high=1.0),
        el.Observable("novel_ceiling", unit="1", about="novel: perfect code, ideal speaker", low=0.0, high=1.0),
        el.Observable("known", unit="1", about="combinations met before understood from words", low=0.0, high=1.0),
        el.Observable("imagined", unit="1", about="error of the senses imagined for new combinations", low=0.0),
        el.Observable("imagined_scrambled", unit="1", about="the same with the words of another scene", low=0.0),
        el.Observable("ownership_bits", unit="bit", about="what a word tells of its modality", low=0.0),
        el.Observable("used", unit="1", about="different words in use, mean of both agents", low=0.0),
        el.Observable("named", unit="1", about="categories with a word of their own, mean of agents", low=0.0),
        el.Observable("lexicon", ("agent", "modality", "word", "kind"), "1", "psi phi by true category", 0.0, 1.0),
    )  # fmt: skip

    # -- the world -------------------------------------------------------------------------------------------------

    def layout(self) -> Float[Array, "agent category sense"]:
        """True means: on a circle, but for two categories that this agent can hardly tell apart, others for each."""
        angle = 2 * jnp.pi * jnp.arange(self.categories) / self.categories
        at = RADIUS * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)

        def pulled(pair: tuple[int, int]) -> Float[Array, "category sense"]:
            i, j = pair
            middle, along = (at[i] + at[j]) / 2, (at[i] - at[j]) / jnp.sqrt(jnp.sum((at[i] - at[j]) ** 2))
            near = jnp.asarray(self.amb) * along
            return at.at[i].set(middle + near).at[j].set(middle - near)

        return jnp.stack([pulled((0, 1)), pulled((2, 3))])

    def split(self) -> tuple[Int[np.ndarray, "seen modality"], Int[np.ndarray, "out modality"]]:
        """Combinations that occur, and those held out: each category of the first two modalities once."""
        everything = signalling.all_objects((self.categories,) * self.modalities)
        out = signalling.diagonal(everything, shift=1)
        return everything[~out], everything[out]

    def world(self, key: PRNGKeyArray) -> World:
        """Scenes of combinations at random; held-out ones occur equally often in the tests."""
        of_scenes, of_senses, of_glimpses = jax.random.split(key, 3)
        seen, held_out = self.split()
        truth = jnp.asarray(seen)[jax.random.randint(of_scenes, (self.scenes,), 0, len(seen))].T
        novel = jnp.asarray(held_out[np.arange(self.tests) % len(held_out)]).T
        means = self.layout()

        def sensed(key: PRNGKeyArray, kinds: Int[Array, "modality scene"]) -> Array:
            at = jax.vmap(lambda one: one[kinds])(means)
            return at + jax.random.normal(key, at.shape)

        return World(truth, sensed(of_senses, truth), novel, sensed(of_glimpses, novel))

    def init(self, key: PRNGKeyArray) -> Pair:
        """Each agent groups what it senses; words mean nothing."""
        of_world, of_groups, of_words, of_tables = jax.random.split(key, 4)
        world = self.world(of_world)
        chance = jax.random.uniform(of_groups, (2, self.modalities, self.categories))
        kinds, means = jax.vmap(jax.vmap(sp.grouped))(chance, world.senses)
        joined, centres = jax.vmap(sp.grouped)(chance[0], jnp.concatenate(list(world.senses), axis=-1))
        # An exponential variate has shape 1: without counts, Dirichlet shares are exponentials over their sum.
        cells, owners = (2, self.modalities, self.words, self.categories), (2, self.words, self.modalities)
        flat = jax.random.exponential(of_tables, (int(np.prod(cells) + np.prod(owners)),))
        phi, psi = (x / x.sum(axis=-1, keepdims=True) for x in sp.parts(flat, cells, owners))
        psi = self._owned(psi)
        words = jax.random.randint(of_words, (2, self.scenes, self.modalities), 0, self.words, jnp.int32)
        # Whoever is one mind, or holds messages in common, begins as such.
        one, common = self.listening == _ONE, (self.listening == _CENTRAL) | (self.memory == 1)
        kinds, phi, psi = (jnp.where(one, x, y) for x, y in ((joined[None], kinds), (phi[:1], phi), (psi[:1], psi)))
        means = jnp.where(one, jnp.stack(jnp.split(centres, 2, axis=-1)), means)
        words = jnp.where(one | common, words[:1], words)
        return Pair(world, kinds, words, means, phi, psi, jnp.full(2, jnp.nan))

    # -- a round ---------------------------------------------------------------------------------------------------

    def step(self, state: Pair, key: PRNGKeyArray) -> Pair:
        """Agent a speaks of all scenes and b listens and learns; then the other way round.

        Sites, under the listener's name: `heard` (words that arrive), `accept` (chances), `sight` (log-likelihood of
        every category by its senses), `means`, `phi`, `psi` (what it has learnt); and `state.kinds`, `state.words`,
        `state.means`, `state.phi`, `state.psi` of both agents before the round.
        """
        with el.scope("state"):
            changed = {n: el.site(n, getattr(state, n)) for n in ("kinds", "words", "means", "phi", "psi")}
        state = Pair(world=state.world, accepted=state.accepted, **changed)
        uniform, normal = self._shapes()
        count = [sum(int(np.prod(s)) for s in shapes) for shapes in (uniform, normal)]
        numbers = [x.reshape(2, -1) for x in sp.drawn(key, 2 * count[0], 2 * count[1])]
        for turn, listener in enumerate((1, 0)):
            with el.scope(AGENTS[listener]):
                state = self._turn(state, listener, sp.parts(numbers[0][turn], *uniform),
                                   sp.parts(numbers[1][turn], *normal))  # fmt: skip
        return state

    def _shapes(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Of the uniform and of the normal numbers of a turn, in the order in which `_turn` unpacks them."""
        n, m, cells = self.scenes, self.modalities, self.words * self.modalities * (self.categories + 1)
        uniform = [(n, m + 1), (2, n, m), (n,), (n, m + 1), (n,), (m, n), (sp.TRIES + 1, cells)]
        return uniform, [(sp.TRIES, cells), (2, m, self.categories, 2)]

    def _turn(self, state: Pair, listener: int, uniform: list[Array], normal: list[Array]) -> Pair:
        """One agent has spoken of every scene; the other takes or leaves the words, and learns."""
        of_words, of_noise, of_taking, of_central, of_places, of_kinds, of_tables = uniform
        logs = sp.kept([sp.weights_of_words(state.phi[i], state.psi[i], state.kinds[i]) for i in range(2)])
        words, chance = self._hear(
            (of_words, of_noise, of_taking, of_central), state.words[listener], logs[listener], logs[1 - listener]
        )
        about = sp.kept(jnp.take_along_axis(words, sp.places(of_places, logs[listener], words), axis=1))
        kinds = sp.either(of_kinds, self._sight(state, listener) + self._said(state.phi[listener], about))
        kinds = sp.kept(kinds)
        alpha, spread = jnp.asarray(self.alpha), jnp.asarray(self.spread)
        phi, psi = sp.tables(normal[0], of_tables, about, kinds, self.words, self.categories, alpha)
        phi, psi = el.site("phi", phi), el.site("psi", self._owned(psi))
        means = [sp.means_given(normal[1][i], state.world.senses[i], kinds, spread) for i in range(2)]
        mine = el.site("means", means[listener])
        one = jnp.asarray(self.listening == _ONE)
        both = one | (self.listening == _CENTRAL) | (self.memory == 1)
        other = 1 - listener

        def told(old: Array, new: Array, shared: Array) -> Array:
            return jnp.where(shared, jnp.stack([new, new]), old.at[listener].set(new))

        theirs = jnp.where(one, means[other], state.means[other])
        return Pair(
            state.world,
            told(state.kinds, kinds, one),
            told(state.words, words, both),
            state.means.at[listener].set(mine).at[other].set(theirs),
            told(state.phi, phi, one),
            told(state.psi, psi, one),
            state.accepted.at[listener].set(chance.mean()),
        )

    def _hear(
        self, uniform: tuple[Array, ...], held: Int[Array, "scene slot"], mine: Float[Array, "scene word modality"],
        theirs: Float[Array, "scene word modality"],
    ) -> tuple[Int[Array, "scene slot"], Float[Array, "scene"]]:  # fmt: skip
        """The listener's messages after it was spoken to, and with what chance it took each new one.

        Args:
            uniform: random numbers: of the speaker's words, of noise, of acceptance, of messages drawn centrally.
            held: its messages up to now.
            mine, theirs: how well words fit the scenes, to the listener and to the other agent.
        """
        of_words, of_noise, of_taking, of_central = uniform
        alone = (self.listening == _NONE) | (self.listening == _ONE)
        said = sp.spoken(of_words, jnp.where(alone, mine, theirs))
        lost = jnp.where(of_noise[0] < self.noise, sp.whole(of_noise[1], self.words), said)
        heard = sp.kept(el.site("heard", lost))
        ratio = jnp.asarray(self.stubbornness) * (sp.weight(mine, heard) - sp.weight(mine, held))
        by_ratio = jnp.exp(jnp.minimum(ratio, 0.0))
        fixed = jnp.where(self.listening == _CONSTANT, jnp.asarray(self.trust), 1.0)
        chance = el.site("accept", jnp.where(self.listening == _MH, by_ratio, fixed))
        words = jnp.where((of_taking < chance)[:, None], heard, held)
        central = sp.spoken_by_both(of_central, mine, theirs)
        return sp.kept(jnp.where(self.listening == _CENTRAL, central, words)), chance

    def _sight(self, state: Pair, listener: int) -> Float[Array, "modality scene category"]:
        """Log-likelihoods of all categories by the senses: the listener's, or both agents' in one mind."""
        near = jax.vmap(jax.vmap(sp.distances))(state.world.senses, state.means)
        other = jnp.where(self.listening == _ONE, near[1 - listener], 0.0)
        return el.site("sight", -0.5 * (near[listener] + other))

    def _said(
        self, phi: Float[Array, "modality word category"], about: Int[Array, "scene modality"]
    ) -> Float[Array, "modality scene category"]:
        """Log-probabilities of all categories by the words."""
        return jnp.log(jnp.maximum(jax.vmap(lambda table, words: table[words])(phi, about.T), sp.TINY))

    def _owned(self, psi: Array) -> Array:
        """psi, or no idea of which modality a word is about."""
        return jnp.where(self.ownership == 1, 1.0 / self.modalities, psi)

    # -- what it shows ---------------------------------------------------------------------------------------------

    def observe(self, state: Pair, key: PRNGKeyArray) -> dict[str, Array]:
        """Scores of categories, words and the telling of new scenes; see the observables."""
        world, size = state.world, self.categories
        true_means = jnp.broadcast_to(self.layout()[:, None], state.means.shape)
        index = jax.vmap(lambda a, b: ms.rand_index(a, b, size))
        ari = jnp.stack([index(state.kinds[i], world.truth).mean() for i in range(2)])
        sees = jax.vmap(jax.vmap(sp.distances))(world.senses, true_means)
        ideal = lambda d: index(d.argmin(axis=-1), world.truth).mean()  # noqa: E731
        same, by_chance = ms.agreement(*state.words)
        names = jax.vmap(jax.vmap(lambda k, t: ms.matched(k, t, size)), (0, None))(state.kinds, world.truth)
        best = [
            jax.vmap(sp.distances)(world.glimpses[i], state.means[i]).argmin(axis=-1).T.astype(jnp.int32)
            for i in range(2)
        ]
        met = [k.T for k in state.kinds]
        of_order, of_scrambling = jax.random.split(key)

        def telling(kinds: list[Array], truth: Array, scrambled: bool = False) -> ms.Told:
            found = []
            for hearer in range(2):
                speaker = 1 - hearer
                said = ms.said_best(state.phi[speaker], state.psi[speaker], kinds[speaker])
                # In any order, else a hearer without an idea would guess the right one.
                said = jax.random.permutation(of_order, said, axis=1, independent=True)
                said = jax.random.permutation(of_scrambling, said) if scrambled else said
                heard = ms.understood(state.phi[hearer], state.psi[hearer], said)
                found.append(ms.told(heard, names[hearer], truth.T, state.means[hearer], true_means[hearer]))
            return jax.tree.map(lambda a, b: (a + b) / 2, *found)

        novel, scrambled = telling(best, world.novel), telling(best, world.novel, scrambled=True)
        sees_new = jax.vmap(jax.vmap(sp.distances))(world.glimpses, true_means).argmin(axis=-1)
        use = jax.nn.one_hot(state.words, self.words).mean(axis=(1, 2))  # agent word
        return {
            "ari": ari.mean(),
            "ari_a": ari[0],
            "ari_b": ari[1],
            "ari_between": index(*state.kinds).mean(),
            "ideal_alone": (ideal(sees[0]) + ideal(sees[1])) / 2,
            "ideal_both": ideal(sees[0] + sees[1]),
            "acceptance": state.accepted.mean(),
            "agreement": same,
            "chance_agreement": by_chance,
            "kappa": jnp.where(by_chance < 1, (same - by_chance) / jnp.maximum(1 - by_chance, 1e-9), jnp.nan),
            "novel": novel.whole,
            "novel_part": novel.part,
            "novel_scrambled": scrambled.whole,
            "novel_ceiling": (sees_new == world.novel).all(axis=1).mean(),
            "known": telling(met, world.truth).whole,
            "imagined": novel.miss,
            "imagined_scrambled": scrambled.miss,
            "ownership_bits": jax.vmap(_bits)(use, state.psi).mean(),
            "used": (use > 0).sum(axis=1).mean(),
            "named": jax.vmap(_named)(state.phi, state.psi).mean(),
            "lexicon": _by_truth(state.phi, state.psi, names),
        }  # fmt: skip


def _bits(use: Float[Array, "word"], psi: Float[Array, "word modality"]) -> Float[Array, ""]:
    """Mutual information of a word in use and the modality that it is about."""
    joint = use[:, None] * psi
    apart = use[:, None] * joint.sum(axis=0)
    return jnp.maximum(jnp.where(joint > 0, joint * jnp.log2(jnp.maximum(joint, sp.TINY) / jnp.maximum(
        apart, sp.TINY)), 0.0).sum(), 0.0)  # fmt: skip


def _named(phi: Float[Array, "modality word category"], psi: Float[Array, "word modality"]) -> Float[Array, ""]:
    """How many different words are the likeliest for some category: all categories, if none share a word."""
    best = (phi * psi.T[..., None]).argmax(axis=1)
    return jax.nn.one_hot(best, phi.shape[1]).max(axis=(0, 1)).sum()


def _by_truth(
    phi: Float[Array, "agent modality word category"],
    psi: Float[Array, "agent word modality"],
    names: Int[Array, "agent modality category"],
) -> Float[Array, "agent modality word kind"]:
    """psi phi with categories in the order of the true ones that they stand for."""
    fit = phi * jnp.moveaxis(psi, -1, 1)[..., None]
    return jnp.take_along_axis(fit, jnp.argsort(names, axis=-1)[:, :, None], axis=-1)
