"""A synthetic city: areas on a grid, households, ages, incomes, tempers, and who meets whom.

Nothing here is anybody's data. A city is drawn from a seed: marginals of household sizes and of adult ages that vary
between areas (logistic-normal), households filled in order, incomes that rise from west to east.

Person arrays have the axes (area, resident). Those who live together are neighbours on the second axis, so that a sum
over a household is a few shifted additions. Acquaintances are not stored at all. Each of the `layers` is a perfect
matching of the residents of an area, and whom it gives to a person is computed from the person's number by a small
invertible hash, anew every day, which is faster than reading a list of edges and needs no memory, no copy in a
checkpoint and no place in the compiled program.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32, PRNGKeyArray, UInt8, UInt32

__all__ = ["LARGEST", "SIZES", "Town", "crowds", "edge_list", "household_sum", "make", "met", "partners", "regions"]

LARGEST = 6
"""Most people in a household."""
SIZES = (0.28, 0.35, 0.15, 0.13, 0.06, 0.03)
"""Shares of households of 1 to 6 people, about those of a large Western city."""
ADULTS = (0.20, 0.19, 0.17, 0.15, 0.14, 0.10, 0.05)
"""Shares of the decades 20-29 to 80+ among heads of households."""
_UNLIKE = 0.3  # standard deviation of the logarithms of an area's marginals
_TERCILE = 0.4307  # a standard normal number lies above it with probability 1/3
_BLOCKS = 4  # regions are the blocks of a 4 x 4 division of the map
_ROUNDS = ((0x9E3779B1, 0x85EBCA6B), (0xC2B2AE35, 0x27D4EB2F), (0x165667B1, 0x2545F491))


class Town(eqx.Module):
    """Who lives in a city; nothing here changes with time.

    Attributes:
        key: number from which the acquaintances are computed.
        age: decade of life, 0 to 8 (80 and older).
        income: tercile of the household's income, 0 is the lowest.
        place: place in the household, from 0.
        size: people in the household, 1 to 6.
        caution, trust: temper, standard normal: what cannot be seen from age, income and area.
        custom: how much more careful an area is than others, standard normal times `variety`, equal in a region.
    """

    key: UInt32[Array, ""]
    age: UInt8[Array, "area resident"]
    income: UInt8[Array, "area resident"]
    place: UInt8[Array, "area resident"]
    size: UInt8[Array, "area resident"]
    caution: Float[Array, "area resident"]
    trust: Float[Array, "area resident"]
    custom: Float[Array, "area"]


def regions(rows: int, cols: int) -> Int[np.ndarray, "area"]:
    """The region, 0 to 15, of each area: blocks of a division of the map into 4 x 4."""
    row, col = np.divmod(np.arange(rows * cols), cols)
    return (row * _BLOCKS // rows) * _BLOCKS + col * _BLOCKS // cols


def make(key: PRNGKeyArray, rows: int, cols: int, residents: int, variety: Float[Array, ""]) -> Town:
    """Draw a city.

    Args:
        key: of the seed.
        rows, cols: areas on the map.
        residents: people of an area, a power of two.
        variety: how much areas differ; 0 is not at all, 1 as described above.
    """
    areas = rows * cols
    shape = (areas, residents)
    number, uniform, person, area = jax.random.split(key, 4)
    u_size, u_age, chance = jax.random.uniform(uniform, (3, *shape))
    luck, caution, trust = jax.random.normal(person, (3, *shape))
    moved = jax.random.normal(area, (areas, len(SIZES) + len(ADULTS) + 1))

    # Households: more sizes are drawn than can be needed, and cut off where the area is full.
    drawn = 1 + _category(u_size, SIZES, variety * moved[:, : len(SIZES)])
    ends = jnp.cumsum(drawn, axis=1)
    first = jnp.zeros(shape, jnp.int32).at[jnp.arange(areas)[:, None], ends].set(1, mode="drop")
    household = jnp.cumsum(first, axis=1)
    end = jnp.take_along_axis(ends, household, axis=1)
    head = end - jnp.take_along_axis(drawn, household, axis=1)
    place, size = jnp.arange(residents, dtype=jnp.int32) - head, jnp.minimum(end, residents) - head

    # Ages: the head is an adult, the second is of about the same age, all others are mostly children.
    adult = 2 + _category(u_age, ADULTS, variety * moved[:, len(SIZES) : -1])
    adult = jnp.take_along_axis(adult, head, axis=1)
    partner = jnp.clip(adult + (chance > 0.85) - (chance < 0.15), 2, 8)
    third = jnp.where(chance > 0.9, jnp.minimum(adult + 2, 8), (chance > 0.45).astype(jnp.int32))
    age = jnp.where(place == 0, adult, jnp.where(place == 1, partner, third))

    # Incomes: a slope over the map from west to east, and the household's luck.
    east = (np.arange(areas) % cols + 0.5) / cols - 0.5
    wealth = jnp.take_along_axis(luck, head, axis=1) + 1.5 * variety * east[:, None]
    income = (wealth > -_TERCILE).astype(jnp.uint8) + (wealth > _TERCILE).astype(jnp.uint8)

    # A region's custom is that of its first area.
    region = regions(rows, cols)
    custom = variety * moved[np.unique(region, return_index=True)[1][np.unique(region, return_inverse=True)[1]], -1]
    return Town(
        key=jax.random.key_data(number)[-1],
        age=age.astype(jnp.uint8),
        income=income,
        place=place.astype(jnp.uint8),
        size=size.astype(jnp.uint8),
        caution=caution,
        trust=trust,
        custom=custom,
    )


def _category(
    u: Float[Array, "area resident"], base: tuple[float, ...], moved: Float[Array, "area category"]
) -> Int[Array, "area resident"]:
    """A category for everyone: the base's shares, their logarithms moved area by area."""
    cuts = jnp.cumsum(jax.nn.softmax(jnp.log(jnp.asarray(base)) + _UNLIKE * moved, axis=1), axis=1)
    return jnp.sum(jnp.stack([u > cuts[:, i : i + 1] for i in range(len(base) - 1)]), axis=0, dtype=jnp.int32)


# -- who meets whom -------------------------------------------------------------------------------------------------


def household_sum(
    x: Float[Array, "area resident"], place: UInt8[Array, "area resident"], size: UInt8[Array, "area resident"]
) -> Float[Array, "area resident"]:
    """For each person the sum of `x` over the others of the household: all edges of a complete graph, in ten shifts."""
    far = LARGEST - 1
    n = x.shape[1]
    padded = jnp.pad(x, ((0, 0), (far, far)))
    out = jnp.zeros_like(x)
    for d in range(1, LARGEST):
        out += jnp.where(place >= d, padded[:, far - d : far - d + n], 0.0)
        out += jnp.where(place + d < size, padded[:, far + d : far + d + n], 0.0)
    return out


def partners(key: UInt32[Array, ""], layer: int, areas: int, residents: int) -> Int32[Array, "area resident"]:
    """Whom each person is matched with in a layer, as the number of a resident of the same area.

    Numbers are permuted by three rounds of multiplication, addition and shift, an own permutation for each area and
    layer; neighbours in the permuted order (their numbers differ in the last bit) are matched; and the permutation is
    undone. So the matching is an involution without fixed points.
    """
    bits = residents.bit_length() - 1
    half, mask = np.uint32((bits + 1) // 2), np.uint32(residents - 1)
    area = jnp.arange(areas, dtype=jnp.uint32)[:, None]
    added = [_hash(key ^ np.uint32((layer + 1) * a & 0xFFFFFFFF), area) for a, _ in _ROUNDS]
    x = jnp.broadcast_to(jnp.arange(residents, dtype=jnp.uint32), (areas, residents))
    for shift, (_, factor) in zip(added, _ROUNDS, strict=True):
        x = (x * np.uint32(factor) + shift) & mask
        x = x ^ (x >> half)
    x = x ^ np.uint32(1)
    for shift, (_, factor) in zip(reversed(added), reversed(_ROUNDS), strict=True):
        x = x ^ (x >> half)
        x = ((x - shift) * np.uint32(pow(factor, -1, 1 << 32))) & mask
    return x.astype(jnp.int32)


def _hash(key: UInt32[Array, ""], x: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    """A number that looks random, from a key and a number (the finaliser of MurmurHash3)."""
    h = key ^ (x * np.uint32(0x9E3779B1))
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def met(x: Float[Array, "area resident"], key: UInt32[Array, ""], layers: int) -> Float[Array, "area resident"]:
    """For each person the sum of `x` over the acquaintances."""
    areas, residents = x.shape
    start = (residents * jnp.arange(areas, dtype=jnp.int32))[:, None]
    flat = x.reshape(-1)
    out = jnp.zeros_like(x)
    for layer in range(layers):
        whom = partners(key, layer, areas, residents) + start
        out += flat.at[whom].get(mode="promise_in_bounds")
    return out


def crowds(
    x: Float[Array, "area"], rows: int, cols: int, reach: Float[Array, ""], travel: Float[Array, ""]
) -> Float[Array, "area"]:
    """What people of each area meet of `x` among strangers.

    Strangers come from areas near by, with weights that fall off exponentially along rows and columns, and for the
    share `travel` from anywhere.

    Args:
        x: mean of an area's residents.
        reach: distance at which the weight has fallen to 1/e, in areas.
    """

    def near(k: int) -> Float[Array, "to from"]:
        distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
        weight = jnp.exp(-distance / jnp.maximum(reach, 1e-3))
        return weight / weight.sum(axis=1, keepdims=True)

    around = near(rows) @ x.reshape(rows, cols) @ near(cols).T
    return (1.0 - travel) * around.reshape(-1) + travel * jnp.mean(x)


def edge_list(town: Town, layers: int) -> Int[np.ndarray, "3 edge"]:
    """All directed edges as (source, destination, kind), sorted by destination; kind 0 is household, 1 acquaintance.

    People are numbered area by area. For tests, small pictures and other programs; the study itself has no list.
    """
    place, size = (np.asarray(a, int).ravel() for a in (town.place, town.size))
    areas, residents = town.place.shape
    n = areas * residents
    who = np.arange(n)
    found = []
    for d in range(1, LARGEST):
        for inside, other in ((place >= d, who - d), (place + d < size, who + d)):
            found.append(np.stack([other[inside], who[inside], np.zeros(inside.sum(), int)]))
    start = residents * np.arange(areas)[:, None]
    for layer in range(layers):
        whom = (np.asarray(partners(town.key, layer, areas, residents)) + start).ravel()
        found.append(np.stack([whom, who, np.ones(n, int)]))
    edges = np.concatenate(found, axis=1)
    return edges[:, np.argsort(edges[1], kind="stable")]
