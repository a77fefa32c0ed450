"""A continuous double auction in arrays: orders of one unit, price-time priority, money and goods in escrow.

Who bids puts the price aside, who asks puts the unit aside. An order that comes in meets the best order of somebody
else on the other side: the lowest ask at or below its price, or the highest bid at or above it, the older of equals.
They trade at the price of the order that stood there. An order that meets none stands until it is met, is called back
or expires. As every order is of one unit, it is met at once or not at all, and the whole market is a table with a fixed
number of places for each trader.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["ASK", "BID", "Book", "Deal", "Order", "cancel", "empty", "escrowed_coin", "escrowed_goods", "place"]

BID, ASK = 1, -1

# Orders are ranked by price first and by their number second, in one whole number.
_NUMBERS = 1 << 24


class Book(NamedTuple):
    """Orders that stand, a row of places for each trader.

    Attributes:
        side: BID, ASK, or 0 where there is no order.
        good: which good.
        price: in coins.
        number: of the order, ascending in time, below 2^24.
        until: the time at which it expires.
    """

    side: Int[Array, "trader place"]
    good: Int[Array, "trader place"]
    price: Int[Array, "trader place"]
    number: Int[Array, "trader place"]
    until: Int[Array, "trader place"]


class Order(NamedTuple):
    """An order that comes in.

    Attributes:
        trader: whose it is.
        side: BID, ASK, or 0 for none.
        good: which good.
        price: in coins.
        number: larger than those of all orders before, below 2^24.
        until: the time at which it is to expire.
    """

    trader: Int[Array, ""]
    side: Int[Array, ""]
    good: Int[Array, ""]
    price: Int[Array, ""]
    number: Int[Array, ""]
    until: Int[Array, ""]


class Deal(NamedTuple):
    """What an order led to.

    Attributes:
        done: whether it met another.
        price: paid, 0 if there was no deal.
        good: of the order.
        buyer, seller: one-hot; all False if there was no deal.
    """

    done: Bool[Array, ""]
    price: Int[Array, ""]
    good: Int[Array, ""]
    buyer: Bool[Array, "trader"]
    seller: Bool[Array, "trader"]


def empty(traders: int, places: int) -> Book:
    """A market without orders."""
    nothing = jnp.zeros((traders, places), jnp.int32)
    return Book(nothing, nothing, nothing, nothing, nothing)


def escrowed_coin(book: Book) -> Float[Array, "*batch trader"]:
    """Coins that each trader has put aside for bids."""
    return jnp.sum(jnp.where(book.side == BID, book.price, 0), axis=-1).astype(jnp.float32)


def escrowed_goods(book: Book, goods: int) -> Int[Array, "*batch trader good"]:
    """Units of each good that each trader has put aside for asks."""
    mine = (book.side == ASK)[..., None] & (book.good[..., None] == jnp.arange(goods))
    return jnp.sum(mine, axis=-2).astype(jnp.int32)


def place(
    book: Book, coin: Float[Array, "trader"], goods: Int[Array, "trader good"], order: Order
) -> tuple[Book, Float[Array, "trader"], Int[Array, "trader good"], Deal]:
    """One order comes in.

    The caller sees to it that the trader has the coins or the unit, and a free place: `coin` and `goods` are what is
    not put aside.

    Returns:
        The market, free coins and free goods afterwards, and the deal.
    """
    me = jnp.arange(coin.shape[0]) == order.trader
    kind = jnp.arange(goods.shape[1]) == order.good
    bids, asks = order.side == BID, order.side == ASK

    against = (book.side == -order.side) & (book.good == order.good) & ~me[:, None] & (bids | asks)
    against &= jnp.where(bids, book.price <= order.price, book.price >= order.price)
    # A bid looks for the lowest price, an ask for the highest.
    rank = jnp.where(against, book.price * order.side * _NUMBERS + book.number, jnp.iinfo(jnp.int32).max)
    met = against & (rank == jnp.min(rank))
    done = jnp.any(met)
    price = jnp.sum(jnp.where(met, book.price, 0))
    other = jnp.any(met, axis=1)
    buyer = jnp.where(bids, me, other) & done
    seller = jnp.where(bids, other, me) & done

    # Of a standing order, coins or unit are already put aside.
    coin = coin + jnp.where(seller, price, 0) - jnp.where(me & bids & done, price, 0)
    moved = buyer.astype(jnp.int32) - (me & asks & done).astype(jnp.int32)
    goods = goods + moved[:, None] * kind
    side = jnp.where(met, 0, book.side)

    stands = (bids | asks) & ~done
    free = side == 0
    here = free & (jnp.cumsum(free, axis=1) == 1) & me[:, None] & stands
    coin = coin - jnp.where(me & bids & stands, order.price, 0)
    goods = goods - (me & asks & stands).astype(jnp.int32)[:, None] * kind
    book = Book(
        side=jnp.where(here, order.side, side),
        good=jnp.where(here, order.good, book.good),
        price=jnp.where(here, order.price, book.price),
        number=jnp.where(here, order.number, book.number),
        until=jnp.where(here, order.until, book.until),
    )
    return book, coin, goods, Deal(done, price, order.good, buyer, seller)


def cancel(
    book: Book, coin: Float[Array, "trader"], goods: Int[Array, "trader good"], which: Bool[Array, "trader place"]
) -> tuple[Book, Float[Array, "trader"], Int[Array, "trader good"]]:
    """Orders called back or expired; what was put aside for them is returned."""
    gone = book._replace(side=jnp.where(which, book.side, 0))
    coin = coin + escrowed_coin(gone)
    goods = goods + escrowed_goods(gone, goods.shape[1])
    return book._replace(side=jnp.where(which, 0, book.side)), coin, goods
