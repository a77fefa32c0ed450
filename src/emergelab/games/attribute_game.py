"""The game of attributes: speakers see an object, listeners hear a message and rebuild it or point at it.

One system for most of what the field has played (Lazaridou et al. 2017, Kharitonov et al. 2019, Li and Bowling 2019,
Chaabouni et al. 2020). An object has some attributes with the same number of values each; a share of all objects is
never met in training. A step is one batch: every speaker says something about each object, every listener hears every
speaker, and all learn, with the listener's gradient through a softened draw (`estimator="gumbel"`) or from rewards
(`"reinforce"`). Newborns can take the place of listeners, speakers or both every so often.

Sites, agents first: `message` [speaker, batch, position, symbol] and `message.I` as sent (before noise on the way),
`answer` [listener, speaker, batch, feature], `temperature`, `rate.speakers`, `rate.listeners`, and of either group
`grad.GROUP.PATH` and `update.GROUP.PATH`. When the game is observed, messages and answers are sites as well.

    frozen = el.Ablate("update.speakers.*")                           # speakers that do not learn
    mute = el.Ablate("message.1", during=(2000, None))                # a position that is no longer heard
    lie = el.Swap("message", [0, 1], [1, 0], axis=1)                  # the first two objects of a batch swap messages
"""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from emergelab import scope, site, site_grad, when
from emergelab.errors import UserError
from emergelab.nn import groups as gr
from emergelab.nn import messages as ms
from emergelab.nn.speakers import HeadListener, HeadSpeaker, RecurrentListener, RecurrentSpeaker
from emergelab.observable import Observable
from emergelab.system import System, choice, param, static

from . import language as lg
from . import signalling as sg

__all__ = ["AttributeGame", "Players"]

RENEWED = ("listeners", "speakers", "both")
PAIRS_AT_MOST = 1024
"""Objects among which topographic similarity is measured at most; of more, this many evenly spaced ones."""


class Players(eqx.Module):
    """Where a game stands.

    Attributes:
        speakers, listeners: who plays, with their optimisers.
        baseline: mean reward so far, for REINFORCE.
        unseen: objects that training never shows.
        time: steps made.
    """

    speakers: gr.Group
    listeners: gr.Group
    baseline: ms.Baseline
    unseen: Bool[Array, "object"]
    time: Int[Array, ""]


class AttributeGame(System):
    """Speakers and listeners who learn to tell objects apart; one step is one batch."""

    task: str = choice(
        "reconstruction", options=("reconstruction", "reference"), static=True,
        about="listeners name all attributes, or point at the object among distractors",
    )  # fmt: skip
    agents: str = choice("heads", options=("heads", "recurrent"), static=True, about="make of the networks")
    estimator: str = choice("gumbel", options=("gumbel", "reinforce"), static=True, about="how speakers learn")
    ends: str = choice("no", options=("no", "yes"), static=True, about="does symbol 0 end a message")
    attributes: int = static(2, low=1, high=8, about="attributes of an object")
    values: int = static(8, low=2, high=128, about="values of an attribute")
    positions: int = static(3, low=1, high=16, about="length of a message, at most")
    symbols: int = static(10, low=2, high=1024, about="size of the vocabulary")
    speakers: int = static(1, low=1, high=64, about="number of speakers")
    listeners: int = static(1, low=1, high=64, about="number of listeners")
    hidden: int = static(128, low=2, high=4096, about="hidden units of a speaker and of a listener")
    batch: int = static(64, low=2, high=65_536, about="objects in a step")
    distractors: int = static(4, low=1, high=1000, about="wrong candidates, where the task is reference")
    holdout: int = static(13, low=0, high=1_000_000, about="objects that training never shows")
    chances: int = static(8, low=1, high=1000, about="relabellings behind a measure's level by chance")
    rate_speakers: float = param(1e-3, low=0.0, high=1.0, about="learning rate of speakers")
    rate_listeners: float = param(1e-3, low=0.0, high=1.0, about="learning rate of listeners")
    hot: float = param(2.0, low=0.05, high=100.0, about="temperature of draws at the start")
    cold: float = param(0.7, low=0.05, high=100.0, about="temperature after `cooling` steps")
    cooling: int = param(4000, low=1, high=2_000_000_000, about="steps from the one to the other, linearly")
    clip: float = param(1.0, low=1e-6, high=1e6, about="largest norm of an agent's gradient")
    entropy: float = param(0.0, low=0.0, high=100.0, unit="1/nat", about="reward for an undecided speaker")
    cost: float = param(0.0, low=0.0, high=100.0, about="cost of a symbol, where messages may end")
    noise: float = param(0.0, low=0.0, high=1.0, unit="1", about="symbols that become another one on the way")
    resets: str = choice("none", options=gr.RESETS, about="whether agents are replaced all at once or one by one")
    renews: str = choice("listeners", options=RENEWED, about="who is replaced")
    lifetime: int = param(500, low=1, high=2_000_000_000, about="steps that an agent lives")
    until: int = param(2_000_000_000, low=0, high=2_000_000_000, about="nobody is replaced from this step on")

    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("loss", unit="nat", about="of listeners, over objects in training", low=0.0),
        Observable("accuracy", unit="1", about="objects in training that are understood", low=0.0, high=1.0),
        Observable("unseen", unit="1", about="objects never met that are understood", low=0.0, high=1.0, nan_ok=True),
        Observable("parts", unit="1", about="their attributes that are", low=0.0, high=1.0, nan_ok=True),
        Observable("scrambled", unit="1", about="objects understood from another one's message", low=0.0, high=1.0),
        Observable("distinct", unit="1", about="different messages for all objects, mean over speakers", low=0.0),
        Observable("length", unit="1", about="symbols up to the end of a message", low=0.0),
        Observable("topsim", unit="1", about="topographic similarity", low=-1.0, high=1.0, nan_ok=True),
        Observable("posdis", unit="1", about="positional disentanglement", low=0.0, high=1.0, nan_ok=True),
        Observable("bosdis", unit="1", about="disentanglement of bags of symbols", low=0.0, high=1.0, nan_ok=True),
        Observable("topsim_chance", unit="1", about="topsim when objects swap messages", nan_ok=True),
        Observable("posdis_chance", unit="1", about="posdis when objects swap messages", nan_ok=True),
        Observable("bosdis_chance", unit="1", about="bosdis when objects swap messages", nan_ok=True),
        Observable("agreement", unit="1", about="symbols that two speakers share", low=0.0, high=1.0, nan_ok=True),
        Observable("message", ("object", "position"), about="what the first speaker says; -1 behind the end"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        count, seen = self.values**self.attributes, 2 * self.values
        if count > 100_000:
            raise UserError(f"AttributeGame: {self.values} values of {self.attributes} attributes are {count} objects, "
                            "of which at most 100000 can be played with; take fewer")  # fmt: skip
        if self.holdout and self.holdout > count - seen:
            raise UserError(f"AttributeGame: parameter 'holdout' must be at most {max(count - seen, 0)} of {count} "
                            f"objects, so that all values are met in training; got {self.holdout}")  # fmt: skip
        if self.task == "reference" and self.distractors >= count - self.holdout:
            raise UserError(f"AttributeGame: parameter 'distractors' must be less than the {count - self.holdout} "
                            f"objects of training, got {self.distractors}")  # fmt: skip

    # -- the world -------------------------------------------------------------------------------------------------

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of every attribute."""
        return (self.values,) * self.attributes

    def objects(self) -> Int[np.ndarray, "object attribute"]:
        """All objects, a row each."""
        return sg.all_objects(self.sizes)

    def shown(self) -> Float[Array, "object feature"]:
        """All objects as networks see them, one-hot."""
        return sg.features(jnp.asarray(self.objects()), self.sizes)

    # -- who plays -------------------------------------------------------------------------------------------------

    def speaker(self, key: PRNGKeyArray) -> Any:
        """A newborn speaker."""
        inputs = self.attributes * self.values
        if self.agents == "recurrent":
            return RecurrentSpeaker(key, inputs, self.positions, self.symbols, self.hidden)
        return HeadSpeaker(key, inputs, self.positions, self.symbols, (self.hidden, self.hidden))

    def listener(self, key: PRNGKeyArray) -> Any:
        """A newborn listener; for both tasks it answers in the code of objects."""
        answers, ends = self.attributes * self.values, self.ends == "yes"
        if self.agents == "recurrent":
            return RecurrentListener(key, self.symbols, answers, self.hidden, ends=ends)
        return HeadListener(key, self.positions, self.symbols, answers, (self.hidden, self.hidden), ends)

    def rule(self) -> optax.GradientTransformation:
        """From gradients to directions: clipped norm, then Adam, for every agent by itself."""
        return optax.chain(optax.clip_by_global_norm(jnp.asarray(self.clip)), optax.scale_by_adam())

    def born(self, key: PRNGKeyArray) -> tuple[gr.Group, gr.Group]:
        """Newborn speakers and listeners."""
        of_speakers, of_listeners = jax.random.split(key)
        return (
            gr.group(self.speaker, jax.random.split(of_speakers, self.speakers), self.rule()),
            gr.group(self.listener, jax.random.split(of_listeners, self.listeners), self.rule()),
        )

    def init(self, key: PRNGKeyArray) -> Players:
        of_players, of_split = jax.random.split(key)
        speakers, listeners = self.born(of_players)
        return Players(speakers, listeners, ms.Baseline.none(), self.split(of_split), jnp.int32(0))

    def split(self, key: PRNGKeyArray) -> Bool[Array, "object"]:
        """Which objects training never shows: `holdout` of them, at random for every seed."""
        return sg.held_out(key, self.objects(), self.holdout)

    # -- a batch ---------------------------------------------------------------------------------------------------

    def way(self, time: Int[Array, ""]) -> ms.Way:
        """How speakers speak while they learn. Site: `temperature`."""
        if self.estimator == "reinforce":
            return ms.Drawn()
        share = jnp.clip(time / jnp.asarray(self.cooling), 0.0, 1.0)
        return ms.Relaxed(site("temperature", self.hot + share * (jnp.asarray(self.cold) - self.hot)))

    def say(
        self, speakers: PyTree, shown: Float[Array, "batch feature"], way: ms.Way, key: PRNGKeyArray
    ) -> tuple[Float[Array, "speaker batch position symbol"], Float[Array, "speaker batch position symbol"]]:
        """Logits of all speakers, and what they send. Sites: `message`, `message.I`."""
        keys = jax.random.split(key, self.speakers)
        logits, symbols = gr.each(speakers, lambda net, k: net(shown, way, k), keys)
        return logits, ms.delivered(symbols)

    def understand(
        self, listeners: PyTree, heard: Float[Array, "speaker batch position symbol"]
    ) -> Float[Array, "listener speaker batch feature"]:
        """What every listener makes of every speaker's messages. Site: `answer`."""
        return site("answer", gr.each(listeners, lambda net: jax.vmap(net)(heard)))

    def outcome(
        self,
        answers: Float[Array, "listener speaker batch feature"],
        target: Int[Array, "batch"],
        allowed: Bool[Array, "object"],
        key: PRNGKeyArray,
    ) -> sg.Outcome:
        """Loss and success of every listener with every speaker.

        Args:
            answers: of the listeners.
            target: numbers of the objects meant.
            allowed: objects that may be distractors.
            key: of the distractors.
        """
        shape = answers.shape[:3]
        if self.task == "reconstruction":
            meant = jnp.broadcast_to(jnp.asarray(self.objects())[target], (*shape, self.attributes))
            return sg.reconstruction(answers, meant, self.sizes)
        row, place = sg.lineup(key, target, allowed, self.distractors)
        candidates = jnp.broadcast_to(self.shown()[row], (*shape, self.distractors + 1, answers.shape[-1]))
        return sg.reference(answers, candidates, jnp.broadcast_to(place, shape))

    def step(self, state: Players, key: PRNGKeyArray) -> Players:
        of_objects, of_game, of_born = jax.random.split(key, 3)
        target = sg.drawn(of_objects, ~state.unseen, self.batch)
        weights = (gr.trained(state.speakers), gr.trained(state.listeners))
        (of_speakers, of_listeners), rewards = site_grad(self.loss, has_aux=True)(weights, state, target, of_game)
        rate_s = site("rate.speakers", jnp.asarray(self.rate_speakers))
        rate_l = site("rate.listeners", jnp.asarray(self.rate_listeners))
        speakers = gr.improved(state.speakers, of_speakers, self.rule(), rate_s, "speakers")
        listeners = gr.improved(state.listeners, of_listeners, self.rule(), rate_l, "listeners")
        time = state.time + 1
        speakers, listeners = self.succession(speakers, listeners, time, of_born)
        return Players(speakers, listeners, state.baseline.after(rewards), state.unseen, time)

    def succession(
        self, speakers: gr.Group, listeners: gr.Group, time: Int[Array, ""], key: PRNGKeyArray
    ) -> tuple[gr.Group, gr.Group]:
        """The groups after those who had their time have made way for newborns."""
        leave = self.leaving(time, self.speakers, "speakers"), self.leaving(time, self.listeners, "listeners")

        def changed(old: tuple[gr.Group, gr.Group], key: PRNGKeyArray) -> tuple[gr.Group, gr.Group]:
            fresh = self.born(key)
            return gr.renewed(old[0], fresh[0], leave[0]), gr.renewed(old[1], fresh[1], leave[1])

        old = (speakers, listeners)
        return when(leave[0].any() | leave[1].any(), changed, (old, key), old)

    def leaving(self, time: Int[Array, ""], agents: int, who: str) -> Bool[Array, "agent"]:
        """Which agents of a group newborns replace after `time` steps."""
        concerned = (jnp.asarray(self.renews) == RENEWED.index(who)) | (jnp.asarray(self.renews) == 2)
        life, resets, until = (jnp.asarray(x) for x in (self.lifetime, self.resets, self.until))
        return concerned & gr.due(time, life, agents, resets, until)

    def loss(
        self, weights: tuple[PyTree, PyTree], state: Players, target: Int[Array, "batch"], key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Float[Array, "speaker batch"]]:
        """What a batch makes smaller, and what it was worth to speakers (REINFORCE)."""
        of_words, of_noise, of_lineup = jax.random.split(key, 3)
        speakers, listeners = gr.whole(state.speakers, weights[0]), gr.whole(state.listeners, weights[1])
        logits, sent = self.say(speakers, self.shown()[target], self.way(state.time), of_words)
        answers = self.understand(listeners, ms.noisy(sent, jnp.asarray(self.noise), of_noise))
        losses = self.outcome(answers, target, ~state.unseen, of_lineup).loss
        counts = ms.alive(sent, self.ends == "yes")
        undecided = (ms.entropy(logits) * jax.lax.stop_gradient(counts)).sum(axis=-1) / counts.sum(axis=-1)
        length = counts.sum(axis=-1)
        rewards = jax.lax.stop_gradient(-losses.mean(axis=0) - jnp.asarray(self.cost) * length)
        total = losses.mean() - jnp.asarray(self.entropy) * undecided.mean()
        if self.estimator == "reinforce":
            said = ms.log_probability(logits, sent, counts)
            return total + ms.reinforce(said, rewards, state.baseline.mean), rewards
        return total + jnp.asarray(self.cost) * length.mean(), rewards

    # -- what it shows ---------------------------------------------------------------------------------------------

    def code(self, state: Players, key: PRNGKeyArray) -> Float[Array, "speaker object position symbol"]:
        """The message of every speaker for every object, the likeliest symbols."""
        return self.say(state.speakers.nets, self.shown(), ms.Likeliest(), key)[1]

    def observe(self, state: Players, key: PRNGKeyArray) -> dict[str, Array]:
        of_code, of_lineup, of_scramble, of_chance = jax.random.split(key, 4)
        code = self.code(state, of_code)
        count = code.shape[1]
        numbers = jnp.arange(count, dtype=jnp.int32)
        everything = jnp.ones(count, bool)
        found = self.outcome(self.understand(state.listeners.nets, code), numbers, everything, of_lineup)
        other = jnp.roll(code, 1 + jax.random.randint(of_scramble, (), 0, count - 1), axis=1)
        with scope("scrambled"):
            lost = self.outcome(self.understand(state.listeners.nets, other), numbers, everything, of_lineup)
        right, parts = found.right.mean(axis=(0, 1)), found.parts.mean(axis=(0, 1, 3))
        counts = ms.alive(code, self.ends == "yes")
        words = jnp.where(counts > 0.5, ms.words(code), -1)
        mean = jnp.mean(jax.vmap(lg.distinct)(words).astype(jnp.float32))
        return {
            "loss": _mean(found.loss.mean(axis=(0, 1)), ~state.unseen),
            "accuracy": _mean(right, ~state.unseen),
            "unseen": _mean(right, state.unseen),
            "parts": _mean(parts, state.unseen),
            "scrambled": lost.right.mean(),
            "distinct": mean,
            "length": counts.sum(axis=-1).mean(),
            "agreement": self._agreement(words),
            "message": words[0].astype(jnp.float32),
            **self.structure(words, of_chance),
        }

    def structure(self, words: Int[Array, "speaker object position"], key: PRNGKeyArray) -> dict[str, Array]:
        """Measures of the speakers' codes and their levels by chance, means over speakers."""
        chosen = np.linspace(0, words.shape[1] - 1, min(words.shape[1], PAIRS_AT_MOST)).round().astype(int)
        meanings, said = jnp.asarray(self.objects()[chosen]), words[:, chosen] + 1
        size, values = self.symbols + 1, self.values

        def measures(code: Int[Array, "object position"]) -> Float[Array, "3"]:
            if self.attributes == 1:
                return jnp.stack([lg.topsim(code, meanings), jnp.array(jnp.nan), jnp.array(jnp.nan)])
            posdis, bosdis = (f(code, size, meanings, values) for f in (lg.posdis, lg.bosdis))
            return jnp.stack([lg.topsim(code, meanings), posdis, bosdis])

        def chance(code: Int[Array, "object position"], key: PRNGKeyArray) -> Float[Array, "3"]:
            keys = jax.random.split(key, self.chances)
            return jax.lax.map(lambda k: measures(jax.random.permutation(k, code)), keys).mean(axis=0)

        own = jax.vmap(measures)(said).mean(axis=0)
        null = jax.vmap(chance)(said, jax.random.split(key, len(said))).mean(axis=0)
        names = ("topsim", "posdis", "bosdis")
        return {n: own[i] for i, n in enumerate(names)} | {f"{n}_chance": null[i] for i, n in enumerate(names)}

    def _agreement(self, words: Int[Array, "speaker object position"]) -> Float[Array, ""]:
        if self.speakers == 1:
            return jnp.array(jnp.nan)
        same = (words[:, None] == words[None]).mean(axis=(2, 3))
        return (same.sum() - self.speakers) / (self.speakers * (self.speakers - 1))

    def taught(
        self, state: Players, key: PRNGKeyArray, checkpoints: tuple[int, ...], pupils: int = 3
    ) -> Float[Array, "checkpoint"]:
        """Accuracy of newborn listeners on objects in training, after lessons of the first speaker, who does not learn.

        How easily a language is taught (Li and Bowling 2019). Pupils see the likeliest messages, each by itself, with
        the batch size and learning rate of the game.

        Args:
            state: whose first speaker teaches.
            key: of pupils and lessons.
            checkpoints: numbers of lessons (batches) after which accuracy is measured, rising.
            pupils: how many, whose mean is returned.
        """
        of_code, of_pupils, of_lessons = jax.random.split(key, 3)
        code = jax.lax.stop_gradient(self.code(state, of_code))[:1]
        group = gr.group(self.listener, jax.random.split(of_pupils, pupils), self.rule())
        numbers = jnp.arange(code.shape[1], dtype=jnp.int32)

        def lesson(group: gr.Group, key: PRNGKeyArray) -> tuple[gr.Group, None]:
            of_objects, of_lineup = jax.random.split(key)
            target = sg.drawn(of_objects, ~state.unseen, self.batch)

            def loss(weights: PyTree) -> Float[Array, ""]:
                answers = gr.each(gr.whole(group, weights), lambda net: jax.vmap(net)(code[:, target]))
                return self.outcome(answers, target, ~state.unseen, of_lineup).loss.mean(axis=(1, 2)).sum()

            gradient = jax.grad(loss)(gr.trained(group))
            weights = gr.trained(group)
            direction, memory = jax.vmap(self.rule().update)(gradient, group.memory, weights)
            moved = jax.tree.map(lambda w, d: w - self.rate_listeners * d, weights, direction)
            return gr.Group(gr.whole(group, moved), memory), None

        marks = []
        for begin, end in zip((0, *checkpoints), checkpoints, strict=False):
            keys = jax.vmap(lambda i: jax.random.fold_in(of_lessons, i))(jnp.arange(begin, end))
            group, _ = jax.lax.scan(lesson, group, keys)
            answers = gr.each(group.nets, lambda net: jax.vmap(net)(code))
            right = self.outcome(answers, numbers, jnp.ones(len(numbers), bool), of_code).right.mean(axis=(0, 1))
            marks.append(_mean(right, ~state.unseen))
        return jnp.stack(marks)


def _mean(values: Float[Array, "object"], where: Bool[Array, "object"]) -> Float[Array, ""]:
    """Mean over some objects; NaN if there are none."""
    n = where.sum()
    return jnp.where(n > 0, jnp.where(where, values, 0.0).sum() / jnp.maximum(n, 1), jnp.nan)
