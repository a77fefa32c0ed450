"""The array of cells: its state, its rules and the exact event scheduler.

An idle activation changes nothing, so only the *events* are simulated: each step draws one among the enabled
moves in proportion to its rate (the embedded jump chain), and the number of activations it took is drawn from
its exact geometric law. One step costs a few passes over the array, whatever the algotypes, the damage or the
directions are: all of these are data, so every condition of the study shares one compiled program.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el

from ._bits import Board, Words, count
from ._state import (
    BUBBLE,
    IMMOVABLE,
    INSERTION,
    LIVE,
    SELECTION,
    Cells,
    State,
    Tracker,
    aggregation,
    count_inversions,
    descends,
    from_left,
    gratification,
    inversion_change,
    same,
    total,
    track,
)

MIXES: dict[str, tuple[int, ...]] = {
    "bubble": (BUBBLE,),
    "insertion": (INSERTION,),
    "selection": (SELECTION,),
    "bubble+selection": (BUBBLE, SELECTION),
    "bubble+insertion": (BUBBLE, INSERTION),
    "selection+insertion": (SELECTION, INSERTION),
    "all three": (BUBBLE, SELECTION, INSERTION),
}
_MEMBERS = np.array([(*kinds, 0, 0)[:3] for kinds in MIXES.values()], np.int32)
_KINDS = np.array([len(kinds) for kinds in MIXES.values()], np.int32)
TEXTBOOK = {"bubble": 1, "insertion": 2, "selection": 3}
"""The top-down controllers by their index among the options of `controller` (0 is the cells themselves)."""
_FIRST_REGISTERS = np.array([[0, 0, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0]], np.int32)
_EVERYWHERE = np.uint32(0xFFFFFFFF)

Choice = Any
"""A name where a user gives it; its index among the options, a traced int32, where a rule uses it."""
Number = Any
"""A number where a user gives it; a traced scalar where a rule uses it."""


class Offers(NamedTuple):
    """The moves on offer in an array, as sets of acting positions, and the counts that a scheduler needs."""

    right: Words  # bubble cells that may look right
    left: Words  # bubble and insertion cells that may look left
    jump: Words  # selection cells that may look at their ideal position
    wrong_right: Words  # cells out of order with their right neighbour, in their own direction
    wrong_left: Words
    bubble: Words
    # Events a unit of time: bubble out of order and in order, insertion likewise, selection.
    weights: Float[Array, "5"]
    rate: Float[Array, ""]  # activations a unit of time
    reads: Float[Array, ""]  # cells read a unit of time
    published_reads: Float[Array, ""]
    any: Bool[Array, ""]  # whether anything can still happen, whosever turn it is
    descents: Int[Array, ""]


@jax.jit
def draws(key: PRNGKeyArray) -> tuple[Float[Array, ""], ...]:
    """Five uniform numbers in (0, 1), of 23 bits each.

    Four words are two blocks of the generator; the fifth number is made of bits that the others leave over.
    """
    bits = jax.random.bits(key, (4,))
    spare = (bits[0] & 511) << 14 | (bits[1] & 511) << 5 | (bits[2] & 31)
    whole = jnp.concatenate([bits >> 9, spare[None]])
    # Half a unit is added so that no logarithm is infinite.
    return tuple((whole.astype(jnp.float32) + 0.5) * (1.0 / (1 << 23)))


@jax.jit
def matching(x: Words, yes: Bool[Array, ""]) -> Words:
    """The set itself, or its complement."""
    return jnp.where(yes, x, ~x)


class Sorting(el.System):
    """An array whose cells sort it, or one that a textbook controller sorts.

    One step is one event: a swap, or a selection cell that moves its aim on. Under a top-down `controller`
    one step is one comparison; under a `scheduler` with memory it is one activation. A step after the last
    event changes nothing. All fields but `n` are data of one compiled program.
    """

    n: int = el.static(100, low=2, high=10_000, about="number of cells")
    mix: Choice = el.choice("bubble", options=tuple(MIXES), about="algotypes in the array, in equal numbers")
    controller: Choice = el.choice(
        "cells",
        options=("cells", *TEXTBOOK),
        about="who moves: the cells, or a textbook algorithm from above",
    )
    frozen: Number = el.param(0, low=0, high=10_000, about="draws of a frozen cell, with replacement")
    frozen_kind: Choice = el.choice(
        "immovable", options=("movable", "immovable"), about="may others move a frozen cell"
    )
    frozen_where: Choice = el.choice(
        "random", options=("random", "left", "middle", "right"), about="where cells are frozen"
    )
    bubble_order: Choice = el.choice("up", options=("up", "down"), about="direction in which bubble cells sort")
    insertion_order: Choice = el.choice("up", options=("up", "down"), about="direction in which insertion cells sort")
    selection_order: Choice = el.choice("up", options=("up", "down"), about="direction in which selection cells sort")
    bubble_rate: Number = el.param(1.0, low=0.0, high=1000.0, about="activation rate of a bubble cell")
    insertion_rate: Number = el.param(1.0, low=0.0, high=1000.0, about="activation rate of an insertion cell")
    selection_rate: Number = el.param(1.0, low=0.0, high=1000.0, about="activation rate of a selection cell")
    copies: Number = el.param(1, low=1, high=10_000, about="cells that share each value; 1 is a permutation")
    labels: Number = el.param(2, low=1, high=100, about="label groups in an array of one algotype")
    label_from: Choice = el.choice(
        "algotype", options=("algotype", "chance"), about="labels follow algotypes, or are shuffled"
    )
    noise: Number = el.param(0.0, low=0.0, high=0.5, about="probability that a comparison comes out wrong")
    scheduler: Choice = el.choice(
        "random", options=("random", "round-robin", "bursts"), about="whose turn it is: see How it works"
    )
    burst: Number = el.param(10.0, low=1.0, high=1e6, about="mean activations in a row under the scheduler 'bursts'")
    stop: Choice = el.choice(
        "quiet", options=("quiet", "sorted"), about="end when nothing can move, or as soon as sorted"
    )
    cap: Number = el.param(15_000, low=1, high=2_000_000_000, about="end after this many swaps")

    observables = (
        el.Observable("descents", unit="1", low=0, about="cells smaller than their left neighbour"),
        el.Observable("sortedness", unit="%", low=0, high=100, about="cells in order with their left neighbour"),
        el.Observable("in_place", unit="%", low=0, high=100, about="positions that hold their final value"),
        el.Observable("inversions", unit="1", low=0, about="pairs in the wrong order (Kendall tau distance)"),
        el.Observable("swaps", unit="1", low=0, about="exchanges of two cells"),
        el.Observable("activations", unit="1", low=0, about="times that a live cell woke, idle or not"),
        el.Observable("reads", unit="1", low=0, about="cells read, those read by idle cells included"),
        el.Observable("cost", unit="1", low=0, about="reads + swaps"),
        el.Observable(
            "published_cost",
            unit="1",
            low=0,
            about="the authors' count: a cell that would not move reads for free",
        ),
        el.Observable(
            "aggregation",
            unit="1",
            low=0,
            high=1,
            about="cells whose right neighbour has the same label, over n",
        ),
        el.Observable("aggregation_peak", unit="1", low=0, high=1, about="largest aggregation after any swap so far"),
        el.Observable("dg", unit="1", about="delayed gratification under descents, mean over pairs"),
        el.Observable(
            "dg_published",
            unit="1",
            about="the same as the authors' code has it (a sum if it ends on a rise)",
        ),
        el.Observable("dg_inversions", unit="1", about="delayed gratification under inversions, mean over pairs"),
        el.Observable("descent_rises", unit="1", low=0, about="swaps that raised the descents"),
        el.Observable("inversion_rises", unit="1", low=0, about="swaps that raised the inversions: real steps back"),
        el.Observable("halted", unit="1", low=0, high=1, about="1 once nothing more will happen"),
    )

    def init(self, key: PRNGKeyArray) -> State:
        """A shuffled array. Conditions share a seed's values, places of damage and ranks of algotypes."""
        order, ranks, chance, damage = jax.random.split(key, 4)
        n, at = self.n, jnp.arange(self.n, dtype=jnp.int32)
        value = jax.random.permutation(order, at) // self.copies
        kinds = jnp.asarray(_KINDS)[self.mix]
        rank = jax.random.permutation(ranks, at)
        algotype = jnp.asarray(_MEMBERS)[self.mix, rank * kinds // n]
        groups = jnp.where(kinds > 1, kinds, self.labels)
        shuffled = jax.random.permutation(chance, at)
        label = jnp.where((kinds > 1) & (self.label_from == 1), shuffled, rank) * groups // n
        drawn = jax.random.randint(damage, (n,), 0, n)
        first = jnp.array([0, 0, (n - self.frozen) // 2, n - self.frozen])[self.frozen_where]
        scattered = jnp.zeros(n, bool).at[drawn].max(at < self.frozen)
        frozen = jnp.where(self.frozen_where == 0, scattered, (at >= first) & (at < first + self.frozen))
        down = jnp.stack([self.bubble_order, self.insertion_order, self.selection_order])[algotype] == 1
        small, wide = jnp.int8, jnp.int16
        cells = Cells(
            value=value.astype(wide),
            algotype=algotype.astype(small),
            frozen=jnp.where(frozen, self.frozen_kind + 1, 0).astype(small),
            direction=jnp.where(down, -1, 1).astype(small),
            label=label.astype(small),
            ideal=jnp.where(down, n - 1, 0).astype(wide),
        )
        zero, none = jnp.float32(0.0), jnp.zeros(2)
        dg = Tracker(none, none, none > 0, none, none.astype(jnp.int32), none.astype(jnp.int32))
        return State(
            cells=cells,
            swaps=jnp.int32(0),
            activations=zero,
            reads=zero,
            published_reads=zero,
            peak=aggregation(cells.label),
            dg=dg,
            registers=jnp.asarray(_FIRST_REGISTERS)[self.controller],
            turn=jnp.int32(0),
        )

    def step(self, state: State, key: PRNGKeyArray) -> State:
        """One event; the same state if none is left."""
        kind_draw, cell_draw, wait_draw, turn_draw, slip_draw = draws(key)
        n, cells, board = self.n, state.cells, Board.of(self.n)
        noise = el.site("noise", jnp.asarray(self.noise))
        offers = self._offers(state, noise)
        top_down, memoryless = self.controller > 0, self.scheduler == 0
        on = self._on(state, offers)
        wrong = slip_draw < noise

        # Which kind of event, and which cell. Under a scheduler with memory the given cell may stay idle.
        upto = jnp.cumsum(offers.weights)
        aim = kind_draw * jnp.where(memoryless, upto[-1], 1.0)
        happens = aim < upto[-1]
        kind = jnp.minimum(jnp.sum(upto <= aim, dtype=jnp.int32), 4)
        amiss = (kind == 0) | (kind == 2)
        looks_right = jnp.where(kind < 2, offers.right & matching(offers.wrong_right, amiss), 0)
        looks_left = offers.left & matching(offers.bubble, kind < 2) & matching(offers.wrong_left, amiss)
        looks_left = jnp.where(kind == 4, offers.jump, looks_left)
        chosen = board.choose(jnp.concatenate([looks_right, looks_left]), cell_draw)
        span = board.words * board.width
        goes_right = chosen < span
        actor = jnp.where(goes_right, chosen, chosen - span)

        # What it does. A selection cell that finds no larger value at its ideal position aims further.
        jumps = kind == 4
        ideal = jnp.clip(cells.ideal[actor].astype(jnp.int32), 0, n - 1)
        target = jnp.where(jumps, ideal, jnp.where(goes_right, actor + 1, actor - 1))
        smaller = (cells.value[actor] < cells.value[target]) != wrong
        there = cells.frozen[target]
        moves_on = on & happens & jumps & ~top_down & ((there != LIVE) | ~smaller)
        swaps = jnp.where(jumps, smaller & (there != IMMOVABLE), True) & happens

        first, second, exchange, registers = self._textbook(state, wrong)
        a = jnp.where(top_down, first, jnp.minimum(actor, target))
        b = jnp.where(top_down, second, jnp.maximum(actor, target))
        swaps = el.site("swap", on & jnp.where(top_down, exchange, swaps))
        onward = jnp.where(moves_on, cells.direction[actor], 0).astype(cells.ideal.dtype)
        before = eqx.tree_at(lambda c: c.ideal, cells, cells.ideal.at[actor].add(onward))
        to = jnp.stack([a, b])
        source = jnp.where(swaps, to[::-1], to)
        after = jax.tree.map(lambda x: x.at[to].set(x[source]), before)

        # The accounts.
        descents, alike = total(descends(after.value)), total(same(after.label))
        change = jnp.stack([descents - offers.descents, inversion_change(cells.value, a, b)])
        # Activations until one is an event: geometric, with the events' share of all activations.
        share = upto[-1] / jnp.maximum(offers.rate, 1e-30)
        waited = 1.0 + jnp.floor(jnp.log(wait_draw) / jnp.log1p(-jnp.minimum(share, 1.0)))
        woken = jnp.where(memoryless, waited, offers.rate)
        per = woken / jnp.maximum(offers.rate, 1e-30)

        def spent(amount: Array) -> Array:
            return jnp.where(on, jnp.where(top_down, 1.0, amount), 0.0)

        follows = jnp.where(state.turn == a, b, jnp.where(state.turn == b, a, state.turn))
        stays = jnp.where(swaps, follows, state.turn)
        ends = turn_draw * self.burst  # below 1 with probability 1 / burst, and then uniform again
        anew = ends < 1.0
        anyone = jnp.minimum((ends * n).astype(jnp.int32), n - 1)
        turn = jnp.where(self.scheduler == 1, (state.turn + 1) % n, jnp.where(anew, anyone, stays))
        turn = jnp.where(on & ~memoryless, turn, state.turn)
        return State(
            cells=after,
            swaps=state.swaps + swaps,
            activations=state.activations + spent(woken),
            reads=state.reads + spent(per * offers.reads),
            published_reads=state.published_reads + spent(per * offers.published_reads),
            peak=jnp.maximum(state.peak, alike / n),
            dg=track(state.dg, jnp.where(swaps, change, 0)),
            registers=jnp.where(on & top_down, registers, state.registers),
            turn=turn,
        )

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        """Errors, costs, clustering and delayed gratification of the array as it stands."""
        n, cells = self.n, state.cells
        at = jnp.arange(n, dtype=jnp.int32)
        offers = self._offers(state, el.site("noise", jnp.asarray(self.noise)))
        alike, placed = total(same(cells.label)), total(cells.value == at // self.copies)
        mean, published = gratification(state.dg)
        # Their count has a cell's comparison and its swap as one act, but a textbook algorithm's as two.
        published_cost = state.published_reads + jnp.where(self.controller > 0, state.swaps, 0)
        return {
            "descents": offers.descents,
            # XLA divides by multiplying with 1 / n, so 100 n / n need not be 100; this way round it is.
            "sortedness": 100.0 - 100.0 * offers.descents / n,
            "in_place": 100.0 - 100.0 * (n - placed) / n,
            "inversions": count_inversions(cells.value),
            "swaps": state.swaps,
            "activations": state.activations,
            "reads": state.reads,
            "cost": state.reads + state.swaps,
            "published_cost": published_cost,
            "aggregation": alike / n,
            "aggregation_peak": state.peak,
            "dg": mean[0],
            "dg_published": published[0],
            "dg_inversions": mean[1],
            "descent_rises": state.dg.rises[0],
            "inversion_rises": state.dg.rises[1],
            "halted": ~self._on(state, offers),
        }

    def _on(self, state: State, offers: Offers) -> Bool[Array, ""]:
        """Whether more will happen, judged from the array as it is: damage in mid-run may undo an end."""
        working = jnp.where(self.controller > 0, state.registers[0] < self.n, offers.any)
        finished = (self.stop == 1) & (offers.descents == 0)
        return working & ~finished & (state.swaps < self.cap)

    def _offers(self, state: State, noise: Float[Array, ""]) -> Offers:
        """Every enabled move, with its weight, and the mean reads of an activation."""
        n, cells, board = self.n, state.cells, Board.of(self.n)
        memoryless = self.scheduler == 0
        rates = el.site("rates", jnp.stack([self.bubble_rate, self.insertion_rate, self.selection_rate]))
        rates = jnp.where(memoryless, rates, 1.0)
        at = jnp.arange(n, dtype=cells.ideal.dtype)
        before = from_left(cells.value, 0)
        inner = at > 0
        less, more = board.pack((cells.value < before) & inner), board.pack((cells.value > before) & inner)
        live, wall = board.pack(cells.frozen == LIVE), board.pack(cells.frozen == IMMOVABLE)
        bubble = board.pack(cells.algotype == BUBBLE) & live
        insertion = board.pack(cells.algotype == INSERTION) & live
        selection = live & ~bubble & ~insertion
        aims = board.pack((cells.ideal >= 0) & (cells.ideal < n) & (cells.ideal != at))
        upward = board.pack(cells.direction > 0)

        wrong_left = (upward & less) | (~upward & more)
        wrong_right = (upward & board.left_of(less)) | (~upward & board.left_of(more))
        live_left, live_right = board.right_of(live), board.left_of(live)

        # An insertion cell moves only if all before it is in its order; frozen cells break the chain.
        chained = live & live_left
        end_up, end_down = board.first(chained & less), board.first(chained & more)
        reached = (upward & board.upto(end_up)) | (~upward & board.upto(end_down))
        ordered = insertion & reached

        has_left, has_right = board.constant(np.arange(n) > 0), board.constant(np.arange(n) < n - 1)
        right = bubble & has_right & ~board.left_of(wall)
        left = (bubble | ordered) & has_left & ~board.right_of(wall)
        jump = selection & aims
        slips = jnp.where(noise > 0, _EVERYWHERE, np.uint32(0))
        possible = (right & (wrong_right | slips)) | (left & (wrong_left | slips)) | jump
        would = (bubble & wrong_right & live_right) | ((bubble | ordered) & wrong_left & live_left)

        focus = jnp.where(memoryless, _EVERYWHERE, board.only(state.turn))
        right, left, jump = right & focus, left & focus, jump & focus
        b, i, s = bubble & focus, insertion & focus, selection & focus
        late = i & ~reached
        # A cell beyond the first break in the order reads up to the cell that breaks it.
        scanned = board.sum(i & reached)
        scanned += (end_up + 1) * count(late & upward) + (end_down + 1) * count(late & ~upward)
        jumps = count(jump)
        pairs = [
            count(right & wrong_right) + count(left & bubble & wrong_left),
            count(right & ~wrong_right) + count(left & bubble & ~wrong_left),
            count(left & insertion & wrong_left),
            count(left & insertion & ~wrong_left),
            jumps,
        ]
        chance = jnp.stack([0.5 * (1 - noise), 0.5 * noise, 1 - noise, noise, jnp.float32(1.0)])
        # A bubble cell reads on the side that it drew: the two end cells find nothing there half the time.
        sides = count(b & has_left) + count(b & has_right)
        weights = jnp.stack(pairs) * chance * rates[jnp.array([0, 0, 1, 1, 2])]
        return Offers(
            right=right,
            left=left,
            jump=jump,
            wrong_right=wrong_right,
            wrong_left=wrong_left,
            bubble=bubble,
            weights=weights,
            rate=rates[0] * count(b) + rates[1] * count(i) + rates[2] * count(s),
            reads=rates[0] * 0.5 * sides + rates[1] * scanned + rates[2] * jumps,
            published_reads=rates[0] * count(b & would) + rates[1] * count(i & would) + rates[2] * jumps,
            any=jnp.where(memoryless, jnp.sum(weights) > 0, count(possible) > 0),
            descents=count(less),
        )

    def _textbook(self, state: State, slip: Bool[Array, ""]) -> tuple[Array, Array, Array, Array]:
        """One comparison of a textbook algorithm: two positions, whether they exchange, its new registers.

        An exchange that an immovable cell prevents fails silently: the controller goes on as if it were done.
        """
        n, value, frozen = self.n, state.cells.value, state.cells.frozen
        i, j, m = state.registers
        bubble, insertion = self.controller == 1, self.controller == 2
        low = jnp.where(bubble, j, jnp.where(insertion, j - 1, m))
        high = jnp.where(bubble, j + 1, j)
        low, high = jnp.clip(low, 0, n - 1), jnp.clip(high, 0, n - 1)
        wrong = (value[low] > value[high]) != slip
        # m is, for bubble, whether this pass exchanged anything; for selection, where the smallest value is.
        best = jnp.where(wrong, j, m)
        any_yet = jnp.where(wrong, 1, m)
        last = j == jnp.where(bubble, n - 2 - i, n - 1)
        nothing_left = (i + 1 >= n - 1) | (bubble & (any_yet == 0))
        next_pass = jnp.where(nothing_left, n, i + 1)
        start = jnp.where(bubble, jnp.stack([next_pass, 0, 0]), jnp.stack([next_pass, i + 2, i + 1]))
        scanning = jnp.where(last, start, jnp.stack([i, j + 1, jnp.where(bubble, any_yet, best)]))
        sinks = wrong & (j > 1)
        inserting = jnp.stack([jnp.where(sinks, i, i + 1), jnp.where(sinks, j - 1, i + 1), 0])
        a = jnp.where(bubble | insertion, low, jnp.clip(i, 0, n - 1))
        b = jnp.where(bubble | insertion, high, jnp.clip(best, 0, n - 1))
        wants = jnp.where(bubble | insertion, wrong, last & (best != i))
        free = (frozen[a] != IMMOVABLE) & (frozen[b] != IMMOVABLE)
        return a, b, wants & free, jnp.where(insertion, inserting, scanning)
