"""Gather, trade, build: a small economy on a map, after the one of the AI Economist (Zheng et al. 2020, 2021).

Workers walk on a map on which wood and stone grow at fixed sources. Who steps on a grown unit takes it. Who has one
unit of each may build a house where there is none, and is paid for it by skill: what a house brings differs between
workers, and that is all that differs. Wood and stone are traded in a continuous double auction
(`worlds.double_auction`). Everything costs labour. Utility is isoelastic in coins and linear in labour; a worker's
reward is the change of its utility, so rewards of an episode add up to utility at its end.

An episode has some tax years. At the end of each, all orders are called back, income (coins gained in the year, if any)
is taxed by any schedule, and all that was taken is handed back in equal parts.

All workers act at once, so actions and rewards have an axis of workers; in all else this is a `World`. An action that
is not allowed does nothing. Who acts first, where it matters, is drawn in each step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .double_auction import ASK, BID, Book, Order, cancel, empty, escrowed_coin, escrowed_goods, place
from .world import Discrete, Outcome, World, never

__all__ = [
    "BUILD", "GOODS", "NOTHING", "Economy", "GatherTradeBuild", "Ledger", "Level", "Sight", "goods_held",
    "trade_action", "untaxed", "utility",
]  # fmt: skip

GOODS = ("wood", "stone")
# Actions: nothing, a step west, south, east or north, build, and then one for each good, side and price.
NOTHING, BUILD, _TRADES = 0, 5, 6
_MOVES = ((0, 0), (0, -1), (1, 0), (0, 1), (-1, 0))
_SIDES = (BID, ASK)

Number = Float[Array, ""] | float
Levy = Callable[[Float[Array, "worker"]], Float[Array, "worker"]]


def untaxed(income: Float[Array, "worker"]) -> Float[Array, "worker"]:
    """No tax on any income."""
    return jnp.zeros_like(income)


def utility(coin: Float[Array, "*n"], labour: Float[Array, "*n"], bend: Number, burden: Number) -> Float[Array, "*n"]:
    """Isoelastic in coins, linear in labour: (coin^(1 - bend) - 1) / (1 - bend) - burden * labour.

    Args:
        coin: 0 or more.
        labour: done so far.
        bend: how fast a coin loses worth, in [0, 1).
        burden: utility that a unit of labour costs.
    """
    return (jnp.maximum(coin, 0.0) ** (1 - bend) - 1) / (1 - bend) - burden * labour


class Level(NamedTuple):
    """What an episode takes place on.

    Attributes:
        source: where each good grows.
        start: y and x of each worker.
        pay: coins for a house, by worker.
    """

    source: Bool[Array, "good y x"]
    start: Int[Array, "worker 2"]
    pay: Float[Array, "worker"]


class Ledger(NamedTuple):
    """What each worker has done since the episode began, for whoever wants to know.

    Attributes:
        houses: built.
        gathered: units taken, by good.
        sold, bought: units.
        from_building, from_selling, spent: coins.
        income: taxable, by tax year that is over; 0 for others.
        tax: paid, by tax year.
        rebate: received, by tax year.
    """

    houses: Int[Array, "worker"]
    gathered: Int[Array, "worker good"]
    sold: Int[Array, "worker"]
    bought: Int[Array, "worker"]
    from_building: Float[Array, "worker"]
    from_selling: Float[Array, "worker"]
    spent: Float[Array, "worker"]
    income: Float[Array, "worker year"]
    tax: Float[Array, "worker year"]
    rebate: Float[Array, "worker year"]


class Economy(NamedTuple):
    """A state.

    Attributes:
        level: the map, and who is paid what.
        grown: where there is a unit to be taken.
        house: who built what stands there, -1 where nothing does.
        at: y and x of each worker.
        coin, goods: that are not put aside.
        book: orders that stand.
        labour: done so far.
        begun: coins that each worker had when the year began.
        price: of the last deal in each good, 0 before the first.
        time: steps made.
        ledger: what has been done.
    """

    level: Level
    grown: Bool[Array, "good y x"]
    house: Int[Array, "y x"]
    at: Int[Array, "worker 2"]
    coin: Float[Array, "worker"]
    goods: Int[Array, "worker good"]
    book: Book
    labour: Float[Array, "worker"]
    begun: Float[Array, "worker"]
    price: Int[Array, "good"]
    time: Int[Array, ""]
    ledger: Ledger

    @property
    def wealth(self) -> Float[Array, "*batch worker"]:
        """Coins, those put aside included."""
        return self.coin + escrowed_coin(self.book)


class Sight(NamedTuple):
    """What workers see.

    Attributes:
        known: numbers, most of them in [-1, 1].
        may: which actions are allowed.
    """

    known: Float[Array, "*lane known"]
    may: Bool[Array, "*lane action"]


def trade_action(good: int, side: int, price: int, top: int) -> int:
    """The action of an order.

    Args:
        good: index in `GOODS`.
        side: BID or ASK.
        price: 0 to `top`.
        top: highest price.
    """
    return _TRADES + (good * len(_SIDES) + _SIDES.index(side)) * (top + 1) + price


class GatherTradeBuild(World):
    """The world. Numbers may be traced, sizes may not.

    Attributes:
        pay: coins for a house, by worker.
        levy: from incomes of a year to taxes on them, 0 on an income of 0 and never above it.
        regrow: chance of a bare source to grow a unit, each step.
        market: whether there may be orders.
        bend: how fast a coin loses worth in utility.
        burden: utility that a unit of labour costs.
        toil: labour of a step on the map, of taking a unit, of an order, and of building.
        side: cells along each side of the map.
        sources: of each good.
        year: steps of a tax year.
        years: of an episode.
        top: highest price of an order.
        places: orders that a worker may have standing.
        life: steps after which an order expires.
    """

    pay: Float[Array, "worker"]
    levy: Levy = untaxed
    regrow: Number = 0.02
    market: Bool[Array, ""] | bool = True
    bend: Number = 0.23
    burden: Number = 0.1
    toil: tuple[Number, Number, Number, Number] = (1.0, 1.0, 0.25, 10.0)
    side: int = eqx.field(static=True, default=11)
    sources: int = eqx.field(static=True, default=16)
    year: int = eqx.field(static=True, default=50)
    years: int = eqx.field(static=True, default=2)
    top: int = eqx.field(static=True, default=5)
    places: int = eqx.field(static=True, default=4)
    life: int = eqx.field(static=True, default=20)

    @property
    def workers(self) -> int:
        """How many there are."""
        return self.pay.shape[0]

    @property
    def length(self) -> int:
        """Steps of an episode."""
        return self.year * self.years

    @property
    def actions(self) -> Discrete:
        """Of each worker."""
        return Discrete(_TRADES + len(GOODS) * len(_SIDES) * (self.top + 1))

    @property
    def inputs(self) -> int:
        """How many numbers a worker sees."""
        return 23 + _TRADES

    def level(self, key: PRNGKeyArray) -> Level:
        """Sources and starts at random; no cell grows both goods."""
        of_source, of_start = jax.random.split(key)
        cells = self.side**2
        order = jax.random.permutation(of_source, cells)
        which = jnp.stack([(order // self.sources) == good for good in range(len(GOODS))])
        start = jax.random.randint(of_start, (self.workers, 2), 0, self.side)
        return Level(which.reshape(len(GOODS), self.side, self.side), start, jnp.asarray(self.pay, jnp.float32))

    def reset(self, level: Level, key: PRNGKeyArray) -> Economy:
        n = self.workers
        none, count, by_year = jnp.zeros(n), jnp.zeros(n, jnp.int32), jnp.zeros((n, self.years))
        goods = jnp.zeros((n, len(GOODS)), jnp.int32)
        return Economy(
            level=level, grown=level.source, house=jnp.full((self.side, self.side), -1, jnp.int32), at=level.start,
            coin=none, goods=goods, book=empty(n, self.places), labour=none, begun=none,
            price=jnp.zeros(len(GOODS), jnp.int32), time=jnp.int32(0),
            ledger=Ledger(count, goods, count, count, none, none, none, by_year, by_year, by_year),
        )  # fmt: skip

    def may(self, state: Economy) -> Bool[Array, "worker action"]:
        """Which actions are allowed: no step off the map, no house without material or on what is taken, no order
        without coins or unit, and a place for it.
        """
        to = state.at[:, None] + jnp.asarray(_MOVES)
        steps = jnp.all((to >= 0) & (to < self.side), axis=-1)
        y, x = state.at.T
        bare = (state.house[y, x] < 0) & ~jnp.any(state.level.source[:, y, x], axis=0)
        build = bare & jnp.all(state.goods > 0, axis=1)
        room = jnp.any(state.book.side == 0, axis=1) & self.market
        prices = jnp.arange(self.top + 1)
        bid = room[:, None] & (state.coin[:, None] >= prices)
        orders = []
        for good in range(len(GOODS)):
            ask = room & (state.goods[:, good] > 0)
            orders += [bid, jnp.broadcast_to(ask[:, None], bid.shape)]
        return jnp.concatenate([steps, build[:, None], *orders], axis=1)

    def step(self, state: Economy, action: Int[Array, "worker"], key: PRNGKeyArray) -> Outcome:
        """All workers act once. The reward has an axis of workers."""
        before = self._utility(state)
        allowed = jnp.take_along_axis(self.may(state), action[:, None], axis=1)[:, 0]
        action = jnp.where(allowed, action, NOTHING)
        # One draw for all that is left to chance: who comes first, and what grows.
        cells = self.side**2
        lot = jax.random.uniform(key, (self.workers + len(GOODS) * cells,))
        turn = jnp.sum(lot[: self.workers] < lot[: self.workers, None], axis=1)
        grows = (lot[self.workers :] < self.regrow).reshape(state.grown.shape)

        state = self._gathered(state, action, turn)
        state = self._built(state, action, turn)
        state = self._traded(state, action, turn)
        state = state._replace(grown=state.grown | (grows & state.level.source), time=state.time + 1)
        state = self._year_over(state)
        return Outcome(state, self._utility(state) - before, state.time >= self.length, never())

    def see(self, state: Economy) -> Sight:
        """What each worker sees: the way to the nearest grown unit of each good, what it has, its pay, the market's
        best prices and its own orders, the time, its income of this year and the tax on the next coin.
        """
        may = self.may(state)
        n = self.workers
        book, goods = state.book, jnp.arange(len(GOODS))
        ways = [self._nearest(state, good) for good in range(len(GOODS))]
        # Sides of all orders, by good; those of others are the market, as nobody trades with himself.
        of_good = book.good[:, :, None] == goods
        asks, bids = ((book.side == s)[:, :, None] & of_good for s in (ASK, BID))
        others = ~jnp.eye(n, dtype=bool)[:, :, None, None]
        priced = book.price[None, :, :, None]
        best_ask = jnp.min(jnp.where(asks & others, priced, self.top + 1), axis=(1, 2))
        best_bid = jnp.max(jnp.where(bids & others, priced, -1), axis=(1, 2))
        income = jnp.maximum(state.wealth - state.begun, 0.0)
        next_coin = self.levy(income + 1) - self.levy(income)
        year = (state.time % self.year) / self.year
        whole = state.time / self.length
        alone = [
            state.wealth / 100, income / 100, next_coin, state.level.pay / 10, jnp.broadcast_to(year, n),
            jnp.broadcast_to(whole, n), jnp.mean(book.side != 0, axis=1),
        ]  # fmt: skip
        known = jnp.concatenate(
            [
                *ways,
                jnp.minimum(state.goods, 4) / 4,
                best_ask / self.top, best_bid / self.top, jnp.broadcast_to(state.price / self.top, (n, len(GOODS))),
                (jnp.sum(asks, axis=1) - jnp.sum(bids, axis=1)) / self.places,
                jnp.stack(alone, axis=1),
                may[:, :_TRADES],
            ],
            axis=1,
        )  # fmt: skip
        return Sight(known.astype(jnp.float32), may)

    # -- parts of a step ------------------------------------------------------------------------------------------

    def _utility(self, state: Economy) -> Float[Array, "worker"]:
        return utility(state.wealth, state.labour, self.bend, self.burden)

    def _nearest(self, state: Economy, good: int) -> Float[Array, "worker 3"]:
        """Steps south and east to the nearest grown unit over the map's side, and whether there is any."""
        y, x = jnp.arange(self.side)[:, None], jnp.arange(self.side)
        far = jnp.abs(y - state.at[:, 0, None, None]) + jnp.abs(x - state.at[:, 1, None, None])
        cells = self.side**2
        # Distance and cell in one number, so that one minimum finds both.
        rank = jnp.where(state.grown[good], far * cells + y * self.side + x, 2 * self.side * cells)
        best = jnp.min(rank, axis=(1, 2))
        there = best < 2 * self.side * cells
        cell = best % cells
        way = jnp.stack([cell // self.side, cell % self.side], axis=1) - state.at
        return jnp.concatenate([jnp.where(there[:, None], way / self.side, 0.0), there[:, None]], axis=1)

    def _gathered(self, state: Economy, action: Int[Array, "worker"], turn: Int[Array, "worker"]) -> Economy:
        """Steps on the map; the first of those who come to a grown unit takes it."""
        walks = (action > NOTHING) & (action < BUILD)
        way = jnp.asarray(_MOVES, jnp.int32)[jnp.where(walks, action, NOTHING)]
        at = state.at + way
        y, x = at.T
        there = state.grown[:, y, x].T
        takes = there & (walks & self._first(at, walks, turn))[:, None]
        grown = state.grown & ~jnp.any(takes.T[:, :, None, None] & self._cells(at)[None], axis=1)
        labour = state.labour + walks * self.toil[0] + jnp.sum(takes, axis=1) * self.toil[1]
        taken = takes.astype(jnp.int32)
        return state._replace(
            at=at, grown=grown, goods=state.goods + taken, labour=labour,
            ledger=state.ledger._replace(gathered=state.ledger.gathered + taken),
        )  # fmt: skip

    def _built(self, state: Economy, action: Int[Array, "worker"], turn: Int[Array, "worker"]) -> Economy:
        """Houses; of those who would build on the same cell the first does."""
        wants = action == BUILD
        builds = wants & self._first(state.at, wants, turn)
        here = self._cells(state.at) & builds[:, None, None]
        house = jnp.where(jnp.any(here, axis=0), jnp.argmax(here, axis=0), state.house)
        paid = jnp.where(builds, state.level.pay, 0.0)
        ledger = state.ledger
        return state._replace(
            house=house.astype(jnp.int32), coin=state.coin + paid, goods=state.goods - builds[:, None],
            labour=state.labour + builds * self.toil[3],
            ledger=ledger._replace(houses=ledger.houses + builds, from_building=ledger.from_building + paid),
        )  # fmt: skip

    def _traded(self, state: Economy, action: Int[Array, "worker"], turn: Int[Array, "worker"]) -> Economy:
        """Orders, one after the other, and those that expire."""
        trades = action >= _TRADES
        what, price = jnp.divmod(action - _TRADES, self.top + 1)
        good, side = what // len(_SIDES), jnp.where(trades, jnp.asarray(_SIDES)[what % len(_SIDES)], 0)
        until = state.time + self.life

        def one(carry: tuple, number: Int[Array, ""]) -> tuple[tuple, None]:
            book, coin, goods, last, sold, bought, earned, spent = carry
            trader = jnp.argmax(turn == number)
            order = Order(
                trader, side[trader], good[trader], price[trader], state.time * self.workers + number, until
            )  # fmt: skip
            book, coin, goods, deal = place(book, coin, goods, order)
            last = jnp.where(deal.done & (jnp.arange(len(GOODS)) == deal.good), deal.price, last)
            coins = deal.price.astype(jnp.float32)
            carry = (
                book, coin, goods, last, sold + deal.seller, bought + deal.buyer, earned + deal.seller * coins,
                spent + deal.buyer * coins,
            )  # fmt: skip
            return carry, None

        ledger = state.ledger
        start = (
            state.book, state.coin, state.goods, state.price, ledger.sold, ledger.bought, ledger.from_selling,
            ledger.spent,
        )  # fmt: skip
        numbers = jnp.arange(self.workers, dtype=jnp.int32)
        (book, coin, goods, last, sold, bought, earned, spent), _ = jax.lax.scan(one, start, numbers)
        book, coin, goods = cancel(book, coin, goods, (book.side != 0) & (book.until <= state.time + 1))
        return state._replace(
            book=book, coin=coin, goods=goods, price=last, labour=state.labour + trades * self.toil[2],
            ledger=ledger._replace(sold=sold, bought=bought, from_selling=earned, spent=spent),
        )  # fmt: skip

    def _year_over(self, state: Economy) -> Economy:
        """Taxes, if a year is over: orders are called back first, so that nothing can be hidden in them."""
        over = state.time % self.year == 0
        book, coin, goods = cancel(state.book, state.coin, state.goods, (state.book.side != 0) & over)
        income = jnp.maximum(coin - state.begun, 0.0)
        tax = jnp.where(over, self.levy(income), 0.0)
        rebate = jnp.broadcast_to(jnp.mean(tax), tax.shape)
        coin = coin - tax + rebate
        now = (jnp.arange(self.years) == state.time // self.year - 1) & over
        old = state.ledger
        return state._replace(
            book=book, coin=coin, goods=goods, begun=jnp.where(over, coin, state.begun),
            ledger=old._replace(
                income=old.income + now * income[:, None], tax=old.tax + now * tax[:, None],
                rebate=old.rebate + now * rebate[:, None],
            ),
        )  # fmt: skip

    def _cells(self, at: Int[Array, "worker 2"]) -> Bool[Array, "worker y x"]:
        """The cell of each worker."""
        y, x = (jnp.arange(self.side) == at[:, i, None] for i in (0, 1))
        return y[:, :, None] & x[:, None, :]

    @staticmethod
    def _first(
        at: Int[Array, "worker 2"], who: Bool[Array, "worker"], turn: Int[Array, "worker"]
    ) -> Bool[Array, "worker"]:
        """Whether nobody of `who` in the same cell comes earlier."""
        same = jnp.all(at[:, None] == at[None], axis=-1)
        return ~jnp.any(same & who[None, :] & (turn[None, :] < turn[:, None]), axis=1)


def goods_held(state: Economy) -> Int[Array, "*batch worker good"]:
    """Units that each worker has, those put aside included."""
    return state.goods + escrowed_goods(state.book, len(GOODS))
