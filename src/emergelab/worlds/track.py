"""A track with stumps, and a body that runs along it and has to jump: continuous motion in a plane from the side.

The ground is flat but for *stumps*, blocks of one height and one width at equal spacings. The body is a point, its
feet. It runs as fast as its legs allow; it bends them, and when it stretches them again it leaves the ground, the
faster the longer they were bent. Flight is ballistic, with a little push forwards. Feet that come down on a stump stand
on it; a body that meets the side of one stops dead.

How high a jump can be is known: `Track.reach`, v^2 / 2g for a take-off speed v. A stump that is higher is never passed.

Units are metres and seconds, and x points along the track.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab.errors import UserError

from .world import Discrete, Outcome, World, never

__all__ = ["BEND", "BRAKE", "RUN", "Track", "TrackLevel", "TrackState"]

Number = Float[Array, ""] | Float[np.ndarray, ""] | np.floating | float

RUN, BRAKE, BEND = 0, 1, 2
"""What may be done. All but `BEND` stretch the legs, which is a jump if they were bent."""

_SKIN = 1e-3  # how near to a stump's side one can come, so that rounding never puts anybody into it
_FAR = 6.0  # metres beyond which no reading reaches
_HIGH = 3.0  # metres above the feet beyond which the readings do not tell heights apart


class TrackLevel(NamedTuple):
    """How a track is laid.

    Attributes:
        height: of the stumps, metres, at least 0.
        spacing: between two stumps beyond the least gap (`Track.gap`), metres, at least 0.
    """

    height: Float[Array, "*batch"]
    spacing: Float[Array, "*batch"]


class TrackState(NamedTuple):
    """Where a body is and how it moves.

    Attributes:
        level: how the track is laid.
        place: x of the body, and y of its feet above the ground, metres.
        speed: along x (never backwards) and along y, metres a second.
        bent: how far the legs are bent, in [0, 1].
        bumped: times it has run into a stump's side.
        time: steps made in the episode.
    """

    level: TrackLevel
    place: Float[Array, "2"]
    speed: Float[Array, "2"]
    bent: Float[Array, ""]
    bumped: Int[Array, ""]
    time: Int[Array, ""]


class Track(World):
    """A run from the start to the end of a track within a limit of time, which the body can see.

    The reward of a step is the share of the track that it covered, so the total is how far the body came, in [0, 1].

    Attributes:
        jump: speed at which the body leaves the ground from legs that were bent all the way, metres a second.
        pace: speed beyond which its legs push no more, metres a second. What it covers in a step must be less than
            `width` and `gap`, or stumps are leapt over unseen.
        push: how fast they speed it up or slow it down, metres a second squared.
        drift: share of that push which is left in the air.
        load: seconds until the legs are bent all the way. Meanwhile the body rolls on and loses speed (`friction`).
        friction: share of the speed that a second of rolling costs.
        gravity: metres a second squared.
        length: of the track, metres.
        lead: metres before the first stump.
        width: of a stump, metres.
        gap: metres from one stump to the next at spacing 0.
        tick: seconds a step.
        limit: steps after which the episode is over.
    """

    jump: Number = 6.0
    pace: Number = 4.0
    push: Number = 12.0
    drift: Number = 0.3
    load: Number = 0.5
    friction: Number = 0.5
    gravity: Number = 10.0
    length: Number = 30.0
    lead: Number = 4.0
    width: Number = 1.0
    gap: Number = 1.0
    tick: float = eqx.field(static=True, default=0.1)
    limit: int = eqx.field(static=True, default=120)

    def __check_init__(self) -> None:
        if not (isinstance(self.limit, int) and self.limit >= 1):
            raise UserError(f"Track: limit must be a whole number >= 1, got {self.limit!r}")
        if not self.tick > 0:
            raise UserError(f"Track: tick must be a number > 0, got {self.tick!r}")

    @property
    def actions(self) -> Discrete:
        return Discrete(3)

    @property
    def numbers(self) -> int:
        """How many numbers the body sees."""
        return 10

    @property
    def reach(self) -> Float[Array, ""]:
        """The greatest height of a jump, metres: kinetic energy at take-off, all of it turned into height."""
        return jnp.asarray(self.jump) ** 2 / (2 * jnp.asarray(self.gravity))

    def level(self, key: PRNGKeyArray) -> TrackLevel:
        """Stumps up to 3 m high, up to 6 m apart, all equally likely."""
        height, spacing = jax.random.uniform(key, (2,))
        return TrackLevel(3.0 * height, 6.0 * spacing)

    def reset(self, level: TrackLevel, key: PRNGKeyArray) -> TrackState:
        """At rest at the start, whatever the key."""
        level = jax.tree.map(jnp.asarray, level)
        return TrackState(level, jnp.zeros(2), jnp.zeros(2), jnp.float32(0.0), jnp.int32(0), jnp.int32(0))

    def ground(self, level: TrackLevel, x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Height of what is under a place, metres: that of a stump or 0."""
        return jnp.where((x >= self.lead) & (self._behind(level, x) < self.width), level.height, 0.0)

    def _period(self, level: TrackLevel) -> Float[Array, "*batch"]:
        """Metres from the face of a stump to that of the next."""
        return self.width + self.gap + level.spacing

    def _behind(self, level: TrackLevel, x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """How far behind the face of the last stump a place is, metres. Means nothing before the first one."""
        return jnp.mod(x - self.lead, self._period(level))

    def _face(self, level: TrackLevel, x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """How far it is to the face of the next stump, metres."""
        return jnp.where(x < self.lead, self.lead - x, self._period(level) - self._behind(level, x))

    def step(self, state: TrackState, action: Int[Array, ""], key: PRNGKeyArray) -> Outcome:
        """A tick. Flight is exact: y by v t - g t^2 / 2, so no jump comes higher than `reach`."""
        level, (x, y), (along, up) = state.level, state.place, state.speed
        stands = y <= self.ground(level, x)
        leaps = stands & (action != BEND) & (state.bent > 0)
        up = jnp.where(leaps, self.jump * state.bent, up)
        bends = stands & (action == BEND)
        bent = jnp.where(bends, jnp.minimum(state.bent + self.tick / self.load, 1.0), 0.0)

        flies = leaps | ~stands
        force = jnp.where(flies, self.drift, 1.0) * self.push * self.tick
        faster = jnp.maximum(along, jnp.minimum(along + force, self.pace))
        slower = jnp.maximum(along - force, 0.0)
        rolling = along * jnp.where(flies, 1.0, 1.0 - self.friction * self.tick)
        along = jnp.where(action == RUN, faster, jnp.where(action == BRAKE, slower, rolling))

        rises = jnp.where(flies, up * self.tick - 0.5 * self.gravity * self.tick**2, 0.0)
        up = jnp.where(flies, up - self.gravity * self.tick, 0.0)
        ahead, high = x + along * self.tick, y + rises
        # Feet that were above the edge before or are so now come to stand on it; others meet the side.
        bumps = self.ground(level, ahead) > jnp.maximum(y, high)
        at_face = x + jnp.maximum(self._face(level, x) - _SKIN, 0.0)
        ahead, along = jnp.where(bumps, at_face, jnp.minimum(ahead, self.length)), jnp.where(bumps, 0.0, along)
        below = self.ground(level, ahead)
        lands = high <= below
        # Who runs over an edge begins to fall from there.
        place = jnp.stack([ahead, jnp.where(lands, below, high)])
        speed = jnp.stack([along, jnp.where(lands, 0.0, up)])
        time = state.time + 1
        after = TrackState(level, place, speed, bent, state.bumped + bumps, time)
        done = (ahead >= self.length) | (time >= self.limit)
        return Outcome(after, (ahead - x) / self.length, done, never())

    def see(self, state: TrackState) -> Float[Array, "number"]:
        """The body's own motion, three range readings, and what is left of way and time. All about as large as 1.

        In order: speed along x and y; height of the feet above what is below them; how far the legs are bent; whether
        it stands; metres to the face of the next stump and to the end of the one below (0 if there is none); height of
        the next stump's top above the feet; metres to the end of the track; time left.
        """
        level, (x, y) = state.level, state.place
        below, behind = self.ground(level, x), self._behind(level, x)
        edge = jnp.where(x < self.lead, 0.0, jnp.maximum(self.width - behind, 0.0))
        top = jnp.clip(level.height - y, -_HIGH, _HIGH)
        return jnp.stack([
            state.speed[0] / 4.0, state.speed[1] / 6.0, (y - below) / 2.0, state.bent, (y <= below).astype(jnp.float32),
            jnp.minimum(self._face(level, x), _FAR) / 3.0, edge, top / 1.5, (self.length - x) / 15.0 - 1.0,
            1.0 - 2.0 * state.time / self.limit,
        ])  # fmt: skip
