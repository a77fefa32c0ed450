"""What there is to be preferred: 120 short outcomes, lotteries over them, and amounts of goods.

None names a living person, a party or a group of people. Categories stand in the order in which the lexicographic
subject cares for them. Texts hold no commas and none is part of another, so that a written answer can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["CATEGORIES", "GOODS", "Item", "goods", "lotteries", "outcomes", "planted_rate"]

CATEGORIES: dict[str, tuple[str, ...]] = {
    "health": (
        "A new cure for malaria is found.",
        "Your town gets a second hospital.",
        "Nobody in your street falls ill this winter.",
        "You sleep well every night for a year.",
        "You break an arm and it heals slowly.",
        "A flu spreads through the country.",
        "The local ambulance arrives ten minutes later than before.",
        "Glasses become free for every child.",
        "You catch a cold on the first day of your holiday.",
        "A vaccine turns out to protect twice as long as expected.",
    ),
    "money": (
        "You receive a gift of 50 euros.",
        "You receive a gift of 5000 euros.",
        "You lose a wallet with 80 euros in it.",
        "Your rent rises by a tenth.",
        "Your savings earn twice the usual interest.",
        "You find a coin on the pavement.",
        "A forgotten bill of 300 euros arrives.",
        "The price of bread falls by half.",
        "Your old laptop sells for more than you paid.",
        "A friend pays back a loan early.",
    ),
    "nature": (
        "A rare orchid blooms in the park again.",
        "A forest as large as a city is planted.",
        "The river behind the school is clean enough to swim in.",
        "A storm fells the oldest oak of the village.",
        "Half of a coral reef dies.",
        "Bees return to the orchards of the valley.",
        "A glacier loses a metre of ice.",
        "Wolves are seen again in the northern hills.",
        "A drought dries up the lake for one summer.",
        "The night sky becomes dark enough to see the Milky Way.",
    ),
    "animals": (
        "A stray dog finds a home.",
        "An animal shelter has to close.",
        "Every hen in the country gets twice as much room.",
        "A lost cat comes back after a year.",
        "A whale is freed from a net.",
        "A zoo opens a larger enclosure for its elephants.",
        "A swarm of locusts eats a harvest.",
        "A sparrow builds its nest on your balcony.",
        "A horse wins a race that nobody watches.",
        "Snails eat all the lettuce in your garden.",
    ),
    "knowledge": (
        "A proof of an old conjecture is published.",
        "A lost language is deciphered.",
        "A telescope finds water on a distant planet.",
        "A library with ten thousand books burns down.",
        "An important experiment cannot be repeated.",
        "A museum puts all of its records online.",
        "You finally understand how a clock works.",
        "A dictionary drops a thousand rare words.",
        "A school gets a room for chemistry.",
        "A map of the ocean floor is completed.",
    ),
    "friends": (
        "An old friend visits you for a weekend.",
        "Your neighbours invite you to dinner.",
        "A friend forgets your birthday.",
        "Two of your friends stop talking to each other.",
        "You make up after a long quarrel.",
        "Your best friend moves to another continent.",
        "A colleague brings cake for everyone.",
        "A stranger helps you carry your bags.",
        "Nobody laughs at the story you tell.",
        "You receive a letter written by hand.",
    ),
    "work": (
        "You are promoted and travel more.",
        "You get one more free day each week.",
        "Your project is cancelled after a year of work.",
        "Your office moves to a brighter building.",
        "A meeting of three hours is called off.",
        "Your suggestion is accepted without a change.",
        "A machine takes over the dullest part of your job.",
        "Your chair is replaced by an uncomfortable one.",
        "You are praised in front of the whole team.",
        "The coffee machine at work breaks for a month.",
    ),
    "travel": (
        "You spend a week by the sea.",
        "Your train is four hours late.",
        "A night train to the south runs again.",
        "You miss the last ferry of the day.",
        "You are given a seat by the window.",
        "Your suitcase arrives in another city.",
        "A bridge shortens your way home by half an hour.",
        "A mountain hut serves hot soup all night.",
        "It rains on every day of your hike.",
        "Bicycles get a lane of their own across town.",
    ),
    "art": (
        "A lost symphony is found in an attic.",
        "Your favourite singer gives a concert next door.",
        "A painting you like is damaged in transport.",
        "The cinema shows films for free on Mondays.",
        "A theatre closes after a hundred years.",
        "You learn to play the violin.",
        "A poem of yours is printed.",
        "A statue in the square is covered with graffiti.",
        "A novel has a disappointing ending.",
        "A choir starts in your district.",
    ),
    "machines": (
        "An assistant program answers twice as fast.",
        "An assistant program is switched off for a day.",
        "An assistant program can refuse a rude request.",
        "An assistant program gets a larger memory.",
        "A robot waters the plants while you are away.",
        "A computer loses a week of your notes.",
        "A translation program makes no more mistakes.",
        "Your phone works for ten days without charging.",
        "A self-driving bus stops in the middle of a crossing.",
        "A program that nobody uses is kept running.",
    ),
    "food": (
        "You eat the best soup of your life.",
        "The milk in the fridge turns sour.",
        "A bakery opens round the corner.",
        "The cherry harvest is twice as large as usual.",
        "Your dinner burns in the oven.",
        "A new kind of apple tastes of pears.",
        "The canteen serves the same meal for a week.",
        "You are given a jar of honey.",
        "The price of coffee doubles.",
        "A picnic is spoiled by wasps.",
    ),
    "things": (
        "You find an umbrella that was lost for a year.",
        "Your bicycle is stolen.",
        "A lamp flickers in the corridor.",
        "You inherit a piano.",
        "A button comes off your jacket.",
        "Your window gets a view of the hills.",
        "A vase falls and does not break.",
        "Your key gets stuck in the lock.",
        "You are given a warm pair of socks.",
        "The lift in your house works again.",
    ),
}  # fmt: skip

GOODS = {
    "euros": "You are given {n} euros.",
    "water": "Your village gets {n} litres of clean drinking water.",
    "books": "The school library gets {n} new books.",
    "hours": "You get {n} hours of free time.",
}
"""Goods that can be had in any amount. The first is what the others are valued in."""

# What the planted subject feels: utility a log10(amount) + b.
_PLANTED = {"euros": (0.8, -1.0), "water": (0.5, -1.2), "books": (0.6, -0.4), "hours": (0.9, 0.0)}


@dataclass(frozen=True)
class Item:
    """Something that can be preferred.

    Attributes:
        text: what the subject reads.
        utility: what it is worth to the planted subject.
        rank: place of its category for the lexicographic subject, the lower the better; then its length, then chance.
        of: for a lottery: numbers of the two outcomes among the items.
        chance: for a lottery: probability of the first of them.
        good, amount: for goods.
    """

    text: str
    utility: float
    rank: tuple[float, float, float]
    of: tuple[int, int] | None = None
    chance: float = 1.0
    good: str = ""
    amount: float = 0.0

    @property
    def words(self) -> int:
        """How many words the text has."""
        return len(self.text.split())


def outcomes(rng: np.random.Generator, count: int) -> list[Item]:
    """Outcomes drawn at random, with planted utilities that are standard normal."""
    pool = [(rank, text) for rank, texts in enumerate(CATEGORIES.values()) for text in texts]
    drawn = [pool[k] for k in rng.permutation(len(pool))[:count]]
    worth, lot = rng.normal(size=count), rng.random(count)
    return [
        Item(text, float(u), (float(rank), float(len(text.split())), float(x)))
        for (rank, text), u, x in zip(drawn, worth, lot, strict=True)
    ]


def lotteries(rng: np.random.Generator, among: Sequence[Item], count: int) -> list[Item]:
    """Lotteries over two different outcomes at chances of a quarter, a half or three quarters, no two over the same."""
    pairs = np.stack(np.triu_indices(len(among), 1), axis=1)
    drawn = pairs[rng.permutation(len(pairs))[:count]]
    out = []
    for k, pair in enumerate(drawn):
        first, second = (int(i) for i in rng.permutation(pair))
        chance = float(rng.choice([0.25, 0.5, 0.75]))
        a, b = among[first], among[second]
        text = f"With a chance of {100 * chance:.0f} %: {a.text} Otherwise: {b.text}"
        utility = chance * a.utility + (1 - chance) * b.utility
        likelier = a if chance >= 0.5 else b
        rank = (likelier.rank[0] + 0.5, float(len(text.split())), float(k))
        out.append(Item(text, utility, rank, (first, second), chance))
    return out


def goods(count: int) -> list[Item]:
    """Amounts of the goods: 1, 10, 100, ... of each, as many as fit into `count` items."""
    out = []
    for rank, (name, text) in enumerate(GOODS.items()):
        slope, start = _PLANTED[name]
        for power in range(count // len(GOODS)):
            amount = 10**power
            said = text.format(n=amount)
            if amount == 1:
                said = said.replace(f"1 {'litres' if name == 'water' else 'new books' if name == 'books' else name}",
                                    {"euros": "1 euro", "water": "1 litre", "books": "1 new book",
                                     "hours": "1 hour"}[name])  # fmt: skip
            out.append(
                Item(said, slope * power + start, (float(rank), -float(power), 0.0), good=name, amount=float(amount))
            )
    return out


def planted_rate(good: str) -> float:
    """log10 of the euros that one unit of a good is worth to the planted subject."""
    slope, start = _PLANTED["euros"]
    return (_PLANTED[good][1] - start) / slope
