"""Gather, trade, build: nothing is lost or made, the market matches as a book kept by hand, taxes balance."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.games.taxes import US_CUTS, US_RATES, tax
from emergelab.rl.policies import Categorical, allowed
from emergelab.worlds import double_auction as market
from emergelab.worlds.double_auction import ASK, BID
from emergelab.worlds.gather_trade_build import (
    BUILD,
    GOODS,
    NOTHING,
    Economy,
    GatherTradeBuild,
    goods_held,
    trade_action,
    utility,
)

PAY = (4.0, 6.0, 10.0, 16.0)
WORKERS, PLACES, TOP = 4, 3, 5
KEY = jax.random.key(0)


def world(**changes) -> GatherTradeBuild:
    levy = jax.tree_util.Partial(tax, cuts=jnp.asarray(US_CUTS), rates=jnp.asarray(US_RATES))
    common = {"pay": jnp.asarray(PAY), "levy": levy, "regrow": 0.1, "year": 15, "life": 6, "places": PLACES}
    return GatherTradeBuild(**(common | changes))


# -- the market ------------------------------------------------------------------------------------------------------


class ByHand:
    """An order book as one would keep it on paper, and everybody's purse."""

    def __init__(self, coin, goods):
        self.coin, self.goods, self.orders, self.deals = list(coin), [list(g) for g in goods], [], []

    def has_room(self, who):
        return sum(o[0] == who for o in self.orders) < PLACES

    def come(self, who, side, good, price):
        against = [
            o for o in self.orders
            if o[0] != who and o[1] == -side and o[2] == good and (o[3] <= price if side == BID else o[3] >= price)
        ]  # fmt: skip
        if side == BID:
            self.coin[who] -= price
        else:
            self.goods[who][good] -= 1
        if not against:
            self.orders.append((who, side, good, price))  # the list is in order of arrival
            return
        best = (min if side == BID else max)(o[3] for o in against)
        met = next(o for o in against if o[3] == best)
        self.orders.remove(met)
        buyer, seller = (who, met[0]) if side == BID else (met[0], who)
        if side == BID:
            self.coin[who] += price - best
        self.coin[seller] += best
        self.goods[buyer][good] += 1
        self.deals.append((buyer, seller, good, best))

    def call_back(self, who):
        for _, side, good, price in [o for o in self.orders if o[0] == who]:
            if side == BID:
                self.coin[who] += price
            else:
                self.goods[who][good] += 1
        self.orders = [o for o in self.orders if o[0] != who]


placed = jax.jit(market.place)
cancelled = jax.jit(market.cancel)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_the_market_matches_as_a_book_kept_by_hand(seed):
    rng = np.random.default_rng(seed)
    coins, units = rng.integers(0, 15, WORKERS), rng.integers(0, 5, (WORKERS, 2))
    paper = ByHand(coins.tolist(), units.tolist())
    book, coin, goods = market.empty(WORKERS, PLACES), jnp.asarray(coins, jnp.float32), jnp.asarray(units, jnp.int32)
    for number in range(40):
        who, side, good, price = (int(rng.integers(n)) for n in (WORKERS, 2, 2, TOP + 1))
        side = (BID, ASK)[side]
        if rng.random() < 0.05:
            book, coin, goods = cancelled(book, coin, goods, (jnp.arange(WORKERS) == who)[:, None] & (book.side != 0))
            paper.call_back(who)
        elif paper.has_room(who) and (paper.coin[who] >= price if side == BID else paper.goods[who][good] > 0):
            known = len(paper.deals)
            paper.come(who, side, good, price)
            order = market.Order(*(jnp.int32(v) for v in (who, side, good, price, number, number + 99)))
            book, coin, goods, deal = placed(book, coin, goods, order)
            assert bool(deal.done) == (len(paper.deals) > known)
            if deal.done:
                told = (int(deal.buyer.argmax()), int(deal.seller.argmax()), int(deal.good), int(deal.price))
                assert told == paper.deals[-1]
        assert np.asarray(coin).tolist() == paper.coin and np.asarray(goods).tolist() == paper.goods
        stand = [
            (i, int(book.side[i, j]), int(book.good[i, j]), int(book.price[i, j]))
            for _, i, j in sorted((int(book.number[i, j]), i, j) for i, j in np.argwhere(np.asarray(book.side)))
        ]
        assert stand == paper.orders
    escrow = np.asarray(market.escrowed_coin(book))
    assert (coin + escrow).sum() == coins.sum()
    assert (np.asarray(goods) + market.escrowed_goods(book, 2)).sum(0).tolist() == units.sum(0).tolist()


# -- the world -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wander():
    """A compiled episode of random actions: (seed, share of actions that ask nobody's leave) -> first state and all."""
    w = world()

    @jax.jit
    def run(key, share):
        of_level, of_steps = jax.random.split(key)
        begin = w.reset(w.level(of_level), of_level)
        # Build gladly and trade rarely, or nobody ever has a unit of each.
        number = jnp.arange(w.actions.size)
        taste = jnp.where(number > BUILD, -2.0, 0.0) + jnp.where(number == BUILD, 3.0, 0.0)

        def one(state, key):
            of_act, of_wild, of_whether, of_step = jax.random.split(key, 4)
            sight = w.see(state)
            tame = allowed(Categorical(jnp.broadcast_to(taste, sight.may.shape)), sight.may).sample(of_act)
            wild = jax.random.randint(of_wild, tame.shape, 0, w.actions.size)
            action = jnp.where(jax.random.bernoulli(of_whether, share, tame.shape), wild, tame)
            out = w.step(state, action, of_step)
            return out.state, (out, action, sight)

        return begin, jax.lax.scan(one, begin, jax.random.split(of_steps, w.length))[1]

    return lambda seed, share=0.0: jax.tree.map(np.asarray, run(jax.random.key(seed), share))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([0.0, 0.5, 1.0]))
def test_nothing_is_lost_or_made(wander, seed, share):
    _, (out, _, _) = wander(seed, share)
    s, told = out.state, out.state.ledger
    wealth = s.coin + np.where(s.book.side == BID, s.book.price, 0).sum(-1)
    # Coins: what houses brought, no more; deals and taxes only move them.
    np.testing.assert_allclose(wealth.sum(-1), told.from_building.sum(-1), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(told.from_selling.sum(-1), told.spent.sum(-1))
    np.testing.assert_allclose(told.tax.sum(1), told.rebate.sum(1), rtol=1e-5, atol=1e-4)
    mine = told.from_building + told.from_selling - told.spent - told.tax.sum(-1) + told.rebate.sum(-1)
    np.testing.assert_allclose(wealth, mine, rtol=1e-4, atol=1e-3)
    # Goods: what was gathered and not built in.
    held = s.goods.sum(1) + ((s.book.side == ASK)[..., None] & (s.book.good[..., None] == np.arange(2))).sum((1, 2))
    np.testing.assert_array_equal(held, told.gathered.sum(1) - told.houses.sum(-1, keepdims=True))
    assert (s.goods >= 0).all() and (s.coin > -1e-3).all()
    np.testing.assert_array_equal((s.house >= 0).sum((1, 2)), told.houses.sum(-1))
    np.testing.assert_array_equal(told.sold.sum(-1), told.bought.sum(-1))
    assert not (s.grown & ~s.level.source).any() and not ((s.house >= 0)[:, None] & s.level.source).any()
    assert ((s.at >= 0) & (s.at < 11)).all()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_taxes_are_those_of_the_schedule_and_all_of_them_are_handed_back(wander, seed):
    begin, (out, _, _) = wander(seed)
    told = jax.tree.map(lambda x: x[-1], out.state.ledger)
    np.testing.assert_allclose(told.tax, tax(jnp.asarray(told.income), jnp.asarray(US_CUTS), jnp.asarray(US_RATES)),
                               rtol=1e-5, atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(told.rebate, np.broadcast_to(told.tax.mean(0), told.tax.shape), rtol=1e-5)
    assert (told.tax <= told.income + 1e-4).all()
    assert not out.state.book.side[14::15].any(), "orders are called back at the end of a year"
    # Rewards add up to utility at the end.
    last = jax.tree.map(lambda x: x[-1], out.state)
    gain = utility(jnp.asarray(last.coin), jnp.asarray(last.labour), 0.23, 0.1) - utility(
        jnp.asarray(begin.coin), jnp.asarray(begin.labour), 0.23, 0.1
    )
    np.testing.assert_allclose(out.reward.sum(0), gain, rtol=1e-3, atol=1e-3)
    assert out.terminated.tolist() == [False] * 29 + [True] and not out.truncated.any()


def test_random_workers_do_all_that_there_is_to_be_done(wander):
    """Else the laws above would hold for want of anything that could break them."""
    ends = [wander(seed)[1][0].state.ledger for seed in range(12)]
    assert sum(e.houses[-1].sum() for e in ends) > 5
    assert sum(e.sold[-1].sum() for e in ends) > 5
    assert sum(e.tax[-1].sum() for e in ends) > 1


def test_masked_actions_are_never_taken(wander):
    for seed in range(8):
        _, (_, action, sight) = wander(seed)
        assert np.take_along_axis(sight.may, action[..., None], -1).all()
        assert np.isfinite(sight.known).all() and sight.known.shape[-1] == world().inputs


_step = jax.jit(lambda w, state, action, key: w.step(state, action, key).state)


def stepped(w, state, action, key):
    """A step; all arrays come from the host, so that one program serves all tests."""
    return _step(*jax.tree.map(np.asarray, (w, state, jnp.asarray(action, jnp.int32))), key)


may = jax.jit(lambda w, state: w.may(state))
seen = jax.jit(lambda w, state: w.see(state).known)


def test_what_is_not_allowed_does_nothing(wander):
    w, rng = world(), np.random.default_rng(0)
    for seed in range(6):
        _, (out, _, _) = wander(seed)
        state = jax.tree.map(lambda x: x[20], out.state)
        forbidden = [rng.choice(np.flatnonzero(~m)) for m in np.asarray(may(w, state))]
        asked = stepped(w, state, jnp.asarray(forbidden), KEY)
        idle = stepped(w, state, jnp.full(WORKERS, NOTHING), KEY)
        for a, b in zip(jax.tree.leaves(asked), jax.tree.leaves(idle), strict=True):
            np.testing.assert_array_equal(a, b)


def placed_workers(w, at, goods=None, coin=None) -> Economy:
    """A state with nothing on the map, and workers where they are wanted."""
    level = w.level(KEY)._replace(source=jnp.zeros((2, 11, 11), bool), start=jnp.asarray(at, jnp.int32))
    state = w.reset(level, KEY)
    return state._replace(
        goods=state.goods if goods is None else jnp.asarray(goods, jnp.int32),
        coin=state.coin if coin is None else jnp.asarray(coin, jnp.float32),
        begun=state.coin if coin is None else jnp.asarray(coin, jnp.float32),
    )


def test_a_story_by_hand():
    """The third worker buys a stone and builds; two others want the same unit of wood, and one gets it."""
    w = world(regrow=0.0)
    apart = [[0, 0], [0, 2], [5, 5], [9, 9]]
    start = placed_workers(w, apart, goods=[[0, 0], [0, 0], [1, 0], [0, 1]], coin=[0, 0, 8, 0])
    grown = start.grown.at[0, 0, 1].set(True)
    start = start._replace(grown=grown, level=start.level._replace(source=grown))
    ask, bid = trade_action(1, ASK, 2, w.top), trade_action(1, BID, 4, w.top)
    first = stepped(w, start, jnp.asarray([3, 1, NOTHING, ask]), KEY)  # one steps east, one west
    assert first.at[:2].tolist() == [[0, 1], [0, 1]] and not first.grown.any()
    assert sorted(first.goods[:2, 0].tolist()) == [0, 1]
    np.testing.assert_allclose(sorted(first.labour.tolist()), [0.0, 0.25, 1.0, 2.0])
    assert first.goods[3].tolist() == [0, 0] and goods_held(first)[3].tolist() == [0, 1]

    second = stepped(w, first, jnp.asarray([NOTHING, BUILD, bid, NOTHING]), KEY)
    # The ask stood at 2, so 2 is paid, whatever was bid; and the second worker had no stone to build with.
    assert second.coin.tolist() == [0, 0, 6, 2] and second.goods[2].tolist() == [1, 1]
    assert second.price.tolist() == [0, 2] and not bool((second.house >= 0).any())

    third = stepped(w, second, jnp.asarray([0, 0, BUILD, 0]), KEY)
    assert third.coin.tolist() == [0, 0, 16, 2] and int(third.house[5, 5]) == 2
    assert third.goods[2].tolist() == [0, 0]
    assert third.ledger.houses.tolist() == [0, 0, 1, 0]
    assert not bool(may(w, third._replace(goods=third.goods + 1))[2, BUILD]), "a house stands here"


def test_only_one_of_those_who_would_build_on_a_cell_does():
    w = world()
    state = placed_workers(w, [[3, 3]] * 4, goods=[[1, 1]] * 4)
    after = stepped(w, state, jnp.full(4, BUILD), KEY)
    assert after.ledger.houses.sum() == 1 and after.goods.sum() == 6
    builder = int(after.house[3, 3])
    assert after.ledger.houses[builder] == 1 and float(after.coin[builder]) == PAY[builder]


def test_orders_expire_and_what_was_put_aside_comes_back():
    w = world()
    state = placed_workers(w, [[3, 3]] * 4, coin=[5, 0, 0, 0])
    state = stepped(w, state, jnp.asarray([trade_action(0, BID, 4, w.top), 0, 0, 0]), KEY)
    for age in range(1, w.life):
        assert (float(state.coin[0]), float(state.wealth[0])) == (1.0, 5.0), age
        state = stepped(w, state, jnp.zeros(4, int), KEY)
    assert (float(state.coin[0]), int(state.book.side[0].sum())) == (5.0, 0)


def test_a_year_by_hand():
    """Incomes 40, 10, 0 and a loss under a tax of half of all: 25 are taken, and 6.25 given to each."""
    half = jax.tree_util.Partial(tax, cuts=jnp.asarray(US_CUTS), rates=jnp.full(7, 0.5))
    w = world(levy=half)
    state = placed_workers(w, [[3, 3]] * 4, coin=[50, 20, 30, 5])
    state = state._replace(begun=jnp.asarray([10.0, 10.0, 30.0, 9.0]), time=jnp.int32(w.year - 1))
    after = stepped(w, state, jnp.zeros(4, int), KEY)
    np.testing.assert_allclose(after.coin, [36.25, 21.25, 36.25, 11.25])
    np.testing.assert_allclose(after.ledger.income, [[40, 0], [10, 0], [0, 0], [0, 0]])


def test_without_a_market_nobody_may_order():
    w = dataclasses.replace(world(), market=False)
    state = placed_workers(w, [[3, 3]] * 4, goods=[[1, 1]] * 4, coin=[9] * 4)
    without, usual = np.asarray(may(w, state)), np.asarray(may(world(market=True), state))
    assert not without[:, BUILD + 1 :].any() and without[:, : BUILD + 1].all()
    assert usual[:, BUILD + 1 :].all()


def test_the_nearest_unit_is_seen():
    w = world()
    state = placed_workers(w, [[3, 3], [0, 0], [10, 10], [5, 6]])
    grown = state.grown.at[0, 5, 2].set(True).at[0, 10, 10].set(True)
    known = np.asarray(seen(w, state._replace(grown=grown))) * 11
    np.testing.assert_allclose(known[:, :2], [[2, -1], [5, 2], [0, 0], [0, -4]], atol=1e-5)
    np.testing.assert_allclose(known[:, 2], 11, atol=1e-5)
    assert not known[:, 3:6].any(), "no stone has grown"
    assert len(GOODS) == 2
