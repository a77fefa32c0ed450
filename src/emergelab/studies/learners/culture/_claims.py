"""What is said of culture among learners, as tests. Each margin says in a word why."""

from __future__ import annotations

import emergelab as el

from ._measures import (
    above_one_life,
    above_the_oracles,
    against,
    against_the_first,
    alone,
    best_member,
    experienced,
    gain,
    selective,
    set_back,
)

_FIFTH = "a fifth of a symbol; somebody who guesses at random gets half a symbol far"
_SAME = "within 0.3 of a symbol: a tenth of what a life alone finds"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study: what builds up, what carries it, in what training it comes about, and in weights."""
    return (*_growth(), *_carriers(), *_training(), *_weights())


def _growth() -> list[el.Claim]:
    staircase = "scores rise over generations, above the oracle and both single-life baselines"
    return [
        el.Claim(
            "Knowledge builds up: the last generation gets further than the first",
            el.level(gain(0), "culture"),
            ">",
            0.2,
            published=staircase,
            about=_FIFTH,
        ),
        el.Claim(
            "Watching one generation is enough to gain something",
            el.level(gain(0, 1), "culture"),
            ">",
            0.2,
            published=staircase,
            about=_FIFTH,
        ),
        el.Claim(
            "It goes on building up after the second generation",
            el.level(gain(1), "culture"),
            ">",
            0.2,
            published=f"{staircase}, over eight generations",
            about=_FIFTH,
            expect="refuted",
        ),
        el.Claim(
            "Lineages get further than those they learnt to learn from",
            el.level(above_the_oracles(0.5), "culture"),
            ">",
            0.2,
            published="above the noisy oracle",
            about=f"{_FIFTH}. Compared with the mean of the best of three oracles",
        ),
        el.Claim(
            "A lineage gets further than one life of as many trials (trained on four)",
            el.contrast("reached", "culture", "one-life"),
            ">",
            0.2,
            published="above RL2 trained on short episodes",
            about=_FIFTH,
        ),
        el.Claim(
            "A lineage gets further than one life of as many trials (trained on as many)",
            el.contrast("reached", "culture", "one-long-life"),
            ">",
            0.2,
            published="above RL2 trained on long episodes",
            about=_FIFTH,
            expect="untested",
        ),
        el.Claim(
            "A lineage gets further than one life of the same network",
            el.level(above_one_life, "culture"),
            ">",
            0.2,
            published="not in the paper, whose baselines are trained apart",
            about=_FIFTH,
        ),
        el.Claim(
            "With a perfect memory, nearly the whole sequence is known after eight generations",
            el.level(alone, "scholar", value=20.0),
            ">",
            0.2,
            published="not in the paper",
            about="of 24 symbols; a test of the generations, which need no training to work",
        ),
    ]


def _carriers() -> list[el.Claim]:
    none = "not in the paper"
    return [
        el.Claim(
            "Who never sees others inherits nothing",
            el.level(gain(0, test="never seen"), "culture"),
            "=",
            0.3,
            published=none,
            about=_SAME,
        ),
        el.Claim(
            "Who always sees others gets less far alone",
            el.level(against("always seen"), "culture"),
            "<",
            0.2,
            published="visibility falls over a life, so that agents learn to do without",
            about=_FIFTH,
            expect="inconclusive",
        ),
        el.Claim(
            "Teachers who know another sequence are worth nothing",
            el.level(against_the_first("of others"), "culture"),
            "=",
            0.3,
            published=none,
            about=f"{_SAME}, against what is known when strangers are watched",
            expect="inconclusive",
        ),
        el.Claim(
            "What is handed on is in the teachers' memory",
            el.level(against_the_first("emptied"), "culture"),
            "=",
            0.3,
            published=none,
            about=_SAME,
            expect="inconclusive",
        ),
        el.Claim(
            "A generation that nobody sees sets its lineage back by one",
            el.level(set_back, "culture"),
            "=",
            0.3,
            published=none,
            about=_SAME,
        ),
        el.Claim(
            "Knowledge builds up without selection, too",
            el.level(gain(0, test="shuffled"), "culture"),
            ">",
            0.2,
            published="others are sorted by score; not taken apart",
            about=_FIFTH,
        ),
        el.Claim(
            "Selection helps",
            el.level(against("shuffled"), "culture"),
            "<",
            0.1,
            published="others are sorted by score; not taken apart",
            about="half of the usual margin: what is sorted are three members of one generation",
            expect="refuted",
        ),
        el.Claim(
            "Half of all guesses wrong are a loss",
            el.level(against("half wrong"), "culture"),
            "<",
            0.2,
            published=none,
            about=_FIFTH,
            expect="inconclusive",
        ),
        el.Claim(
            "Agents trust the seat of the best: if it is a fool's, they lose",
            el.level(against("best wrong"), "culture"),
            "<",
            0.1,
            published=none,
            about="half of the usual margin: two of three teachers are as they were",
            expect="inconclusive",
        ),
        el.Claim(
            "Larger generations get further (five members against one)",
            el.level(against("five", "one"), "culture"),
            ">",
            0.2,
            published=none,
            about=_FIFTH,
            expect="inconclusive",
        ),
        el.Claim(
            "Right advice is copied more often than wrong advice",
            el.level(selective, "culture"),
            ">",
            0.05,
            published="agents learn when to imitate and when to explore",
            about="one guess in twenty, in third trials: agents know better where they have been before",
        ),
        el.Claim(
            "Wrong advice is copied less and less within a life",
            el.level(experienced, "culture"),
            "<",
            0.05,
            published="agents learn when to imitate and when to explore",
            about="one guess in twenty, third trial against first",
            expect="inconclusive",
        ),
    ]


def _training() -> list[el.Claim]:
    oracles = "accumulation is best for oracles of middling quality in training"
    return [
        el.Claim(
            "Beside others who know nothing, nobody learns to learn from others",
            el.level(gain(0, 1), "chance-others"),
            "=",
            0.2,
            published=oracles,
            about=_FIFTH,
        ),
        el.Claim(
            "Trained beside others who know something, lineages get further than beside others who know nothing",
            el.contrast(alone, "culture", "chance-others"),
            ">",
            0.2,
            published=oracles,
            about=_FIFTH,
            expect="inconclusive",
        ),
        el.Claim(
            "Trained beside others who know much, lineages get less far than beside others who know little",
            el.contrast(alone, "better-others", "culture"),
            "<",
            0.2,
            published=oracles,
            about=_FIFTH,
        ),
    ]


def _weights() -> list[el.Claim]:
    published = "the best return rises over generations and passes one run of as many steps"
    symbol = "half a symbol; somebody who guesses at random among ten gets a ninth of one far"
    return [
        el.Claim(
            "In weights, too, the last generation gets further than the first",
            el.level(gain(0), "weights"),
            ">",
            0.5,
            published=published,
            about=symbol,
            expect="untested",
        ),
        el.Claim(
            "In weights it goes on building up after the second generation",
            el.level(gain(1), "weights"),
            ">",
            0.5,
            published=published,
            about=symbol,
            expect="untested",
        ),
        el.Claim(
            "In weights, a lineage gets further than one run of as many steps",
            el.contrast(best_member, "weights", "weights-one-run"),
            ">",
            0.5,
            published=published,
            about=f"{symbol}. The best of five each",
            expect="untested",
        ),
        el.Claim(
            "New weights without others to watch gain nothing",
            el.level(gain(0), "weights-alone"),
            "=",
            0.5,
            published="not in the paper",
            about=symbol,
            expect="untested",
        ),
        el.Claim(
            "Beginning anew helps a lineage",
            el.contrast(alone, "weights", "weights-kept"),
            ">",
            0.5,
            published="resets mitigate early convergence",
            about=symbol,
            expect="untested",
        ),
    ]
