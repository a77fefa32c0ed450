"""The one compiled program of a pure system: scan over time x vmap over seeds x vmap over conditions.

Randomness is addressed: step t of seed s uses `fold_in(key(s), t)`. How many records a call makes, where it starts and
how many steps lie between records are *operands*, so however a run is cut, the same machine code computes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, PRNGKeyArray, PyTree

from .._devices import cut, sharding, spread
from .._keys import key as key_of
from .._site import SiteInfo, catalogue, require, site, tap
from ..errors import SiteError, UserError
from ..intervention import Intervention, Moment, editing
from ..observable import Observable
from ..system import HostSystem, System
from .plan import Cell, signature
from .turns import Turns

# Folded into a step's key for what must not share the step's own random numbers. Large, so that they meet neither a
# step's `split` nor a plausible number of steps.
INIT, OBSERVE, NOISE = 2**32 - 1, 2**32 - 2, 2**32 - 3


@dataclass(frozen=True)
class Spec:
    """The static part of a program: structure, which leaves differ between conditions, length of the record buffer,
    and on how many devices which arrays of the state are cut.
    """

    treedef: Any
    axes: tuple[int | None, ...]
    capacity: int
    taps: tuple[str, ...]
    devices: int = 1
    parted: tuple[bool, ...] = ()


def stack(cells: Sequence[Cell]) -> tuple[Any, tuple[int | None, ...], list[np.ndarray]]:
    """Leaves of conditions of one signature: those that are equal stay single (axis None), the others are stacked."""
    flat = [jax.tree.flatten((c.system, c.interventions)) for c in cells]
    axes: list[int | None] = []
    leaves = []
    for column in zip(*(leaves for leaves, _ in flat), strict=True):
        arrays = [np.asarray(x) for x in column]
        same = all(np.array_equal(arrays[0], a) for a in arrays[1:])
        axes.append(None if same else 0)
        leaves.append(arrays[0] if same else np.stack(arrays))
    return flat[0][1], tuple(axes), leaves


# -- one seed of one condition --------------------------------------------------------------------------------------


def _announce(state: PyTree) -> PyTree:
    """Every array of the state is a site, so it can be read and clamped without any code in the system."""

    def one(path: Any, leaf: Any) -> Any:
        if not eqx.is_array(leaf) or jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        dotted = jax.tree_util.keystr(path, simple=True, separator=".")
        return site(f"state.{dotted}" if dotted else "state", leaf)

    return jax.tree_util.tree_map_with_path(one, state)


def _strong(leaf: Any) -> Array:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf
    return jnp.asarray(leaf, jnp.result_type(leaf))


def _is_data(leaf: Any) -> bool:
    return eqx.is_array_like(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def initial(system: System, root: PRNGKeyArray) -> PyTree:
    """The state at time 0, numbers turned into arrays; leaves that are no data (activation functions) stay."""
    state = system.init(jax.random.fold_in(root, INIT))
    return jax.tree.map(lambda x: _strong(x) if _is_data(x) else x, state)


def _rest(system: System) -> PyTree:
    """The leaves of the state that are no data, which the loop must not carry."""
    shape = eqx.filter_eval_shape(initial, system, key_of(0))
    return eqx.filter(shape, _is_data, inverse=True)


def _moment(root: PRNGKeyArray, seed: Array, time: Array) -> tuple[PRNGKeyArray, Moment]:
    key = jax.random.fold_in(root, time)
    return key, Moment(time, seed, jax.random.fold_in(key, NOISE))


def _step(
    system: System, interventions: Sequence[Intervention], state: PyTree, root: PRNGKeyArray, seed: Array, time: Array
) -> PyTree:
    key, moment = _moment(root, seed, time)
    with editing(interventions, moment):
        return system.step(_announce(state), key)


def _observe(
    system: System, interventions: Sequence[Intervention], state: PyTree, root: PRNGKeyArray, seed: Array, time: Array
) -> dict[str, Array]:
    key, moment = _moment(root, seed, time)
    with editing(interventions, moment):
        values = system.observe(_announce(state), jax.random.fold_in(key, OBSERVE))
    return {name: jnp.asarray(value) for name, value in values.items()}


# -- conditions x seeds x time --------------------------------------------------------------------------------------


def roots(seeds: Int[Array, "s"]) -> Key[Array, "s"]:
    """The keys from which all randomness of the seeds is addressed."""
    return jax.vmap(key_of)(seeds)


def _placed(spec: Spec, state: PyTree) -> PyTree:
    """Every array of the state where it belongs."""
    if spec.devices == 1:
        return state
    leaves, treedef = jax.tree.flatten(state)
    placed = [cut(x, 2 if parted else None) for x, parted in zip(leaves, spec.parted, strict=True)]
    return jax.tree.unflatten(treedef, placed)


def placed(spec: Spec, state: PyTree) -> PyTree:
    """A state brought to where a program expects it: from a checkpoint, or as XLA has left it."""
    if spec.devices == 1:
        return state
    leaves, treedef = jax.tree.flatten(state)
    where = [sharding(spec.devices, 2 if parted else None) for parted in spec.parted]
    return jax.tree.unflatten(treedef, jax.device_put(leaves, where))


@partial(jax.jit, static_argnums=0)
def begin(spec: Spec, leaves: list[Array], seeds: Int[Array, "s"], each_condition: Array) -> PyTree:
    """States at time 0, array leaves only, with leading axes (condition, seed)."""

    def one(leaves: list[Array], root: PRNGKeyArray, _: Array) -> PyTree:
        system, _interventions = jax.tree.unflatten(spec.treedef, leaves)
        return eqx.filter(initial(system, root), _is_data)

    over_seeds = jax.vmap(one, (None, 0, None))
    over_conditions = jax.vmap(over_seeds, (list(spec.axes), None, 0))
    with spread(spec.devices):
        return _placed(spec, over_conditions(leaves, roots(seeds), each_condition))


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def advance(
    spec: Spec,
    leaves: list[Array],
    state: PyTree,
    seeds: Int[Array, "s"],
    start: Array,
    first: Array,
    every: Array,
    n: Array,
) -> tuple[PyTree, dict[str, Array]]:
    """Go on for `n` records (at most `spec.capacity`).

    Args:
        state: leaves with leading axes (condition, seed), as of step `start`.
        first: steps before the first record of this call (0 at the start of a run, else `every`).
        every: steps between records.

    Returns:
        the state at the last record, and the records with leading axes (record, condition, seed).
    """
    template = jax.tree.unflatten(
        spec.treedef, [x if axis is None else x[0] for x, axis in zip(leaves, spec.axes, strict=True)]
    )
    rest = _rest(template[0])

    def step(leaves: list[Array], arrays: PyTree, root: PRNGKeyArray, seed: Array, time: Array) -> PyTree:
        system, interventions = jax.tree.unflatten(spec.treedef, leaves)
        new = eqx.filter(_step(system, interventions, eqx.combine(arrays, rest), root, seed, time), _is_data)
        return jax.tree.map(
            lambda a, b: b if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else jnp.asarray(b, a.dtype), arrays, new
        )

    def record(leaves: list[Array], arrays: PyTree, root: PRNGKeyArray, seed: Array, time: Array) -> dict[str, Array]:
        system, interventions = jax.tree.unflatten(spec.treedef, leaves)
        whole = eqx.combine(arrays, rest)
        values = _observe(system, interventions, whole, root, seed, time)
        if spec.taps:
            # What the sites will hold in the step that begins now; the step's result is thrown away.
            _, tapped = tap(_step, *spec.taps)(system, interventions, whole, root, seed, time)
            values |= tapped
        return values

    def over(f: Any) -> Any:
        over_seeds = jax.vmap(f, (None, 0, 0, 0, None))
        return jax.vmap(over_seeds, (list(spec.axes), 0, None, None, None))

    keys = roots(seeds)
    step_all, record_all = over(step), over(record)
    with spread(spec.devices):
        shapes = jax.eval_shape(record_all, leaves, state, keys, seeds, start)
    buffer = {name: jnp.zeros((spec.capacity, *s.shape), s.dtype) for name, s in shapes.items()}

    def one_record(i: Array, carry: tuple[PyTree, dict[str, Array]]) -> tuple[PyTree, dict[str, Array]]:
        state, buffer = carry
        end = start + first + i * every
        begin_at = jnp.where(i == 0, start, end - every)
        state = jax.lax.fori_loop(begin_at, end, lambda t, s: _placed(spec, step_all(leaves, s, keys, seeds, t)), state)
        values = record_all(leaves, state, keys, seeds, end)
        return state, {name: buffer[name].at[i].set(values[name]) for name in buffer}

    with spread(spec.devices):
        state, buffer = jax.lax.fori_loop(0, n, one_record, (_placed(spec, state), buffer))
        return state, {name: cut(values, None) for name, values in buffer.items()}


# -- ahead-of-time compilation, once a signature even when several threads ask --------------------------------------

_programs: dict[Any, Any] = {}
_lock = threading.Lock()
_turns = Turns()
_LIGHTLY: dict[str, str | bool] = {"xla_backend_optimization_level": "1"}
_WAITING = ("lapack", "fft")  # calls that need all threads; see turns.py
compilations = 0  # for tests: how often XLA was asked for an `advance` in this process


def program(spec: Spec, *args: Any) -> Any:
    """The compiled `advance` for these shapes."""
    return _made(advance, spec, args)


def started(spec: Spec, *args: Any) -> Any:
    """What `begin` returns."""
    return _made(begin, spec, args)(*args)


def full_precision() -> AbstractContextManager[Any]:
    """Products of matrices in single precision on every device, unless the user has chosen another one.

    Accelerators would round to 10 bits (TF32) or 7 (bfloat16), and a study's numbers depend on where it is run.
    """
    chosen = jax.config.jax_default_matmul_precision
    return nullcontext() if chosen else jax.default_matmul_precision("highest")


def _made(verb: Any, spec: Spec, args: tuple[Any, ...]) -> Any:
    global compilations
    shapes = tuple(
        (jnp.shape(x), str(jnp.result_type(x))) if not hasattr(x, "dtype") else (x.shape, str(x.dtype))
        for x in jax.tree.leaves(args)
    )
    where = jax.tree.leaves(args[1])[0].devices() if jax.tree.leaves(args[1]) else ()
    key = (verb, spec, jax.tree.structure(args), shapes, frozenset(map(str, where)))
    with _lock:
        if key not in _programs:
            compilations += verb is advance
            with full_precision():
                lowered, on_cpu = verb.lower(spec, *args), jax.default_backend() == "cpu"
            # What runs once is not worth optimising: drawing initial weights takes longer to compile than to do.
            made = lowered.compile(compiler_options=_LIGHTLY if on_cpu and verb is begin else None)
            if on_cpu:
                text = lowered.as_text()
                made = _in_turn(made, _turns.alone if any(name in text for name in _WAITING) else _turns.together)
            _programs[key] = made
        return _programs[key]


def _in_turn(made: Any, turn: Callable[[], AbstractContextManager[None]]) -> Any:
    def computed(*args: Any) -> Any:
        with turn():
            return jax.block_until_ready(made(*args))

    return computed


# -- what a system shows, without computing -------------------------------------------------------------------------


def _abstract_state(system: System) -> PyTree:
    try:
        return eqx.filter_eval_shape(initial, system, key_of(0))
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{type(system).__name__}.init does not run: {type(error).__name__}: {str(error).splitlines()[0]}"
        ) from error


def _traced(cell: Cell) -> tuple[PyTree, PyTree, dict[str, Any], list[SiteInfo]]:
    """Shapes of the state before and after a step and of the observables, and all sites, from one trace of each
    verb.
    """
    system = jax.tree.map(jnp.asarray, cell.system)  # parameters as the program will see them
    zero, key, rest = jnp.int32(0), key_of(0), _rest(system)
    before = eqx.filter(_abstract_state(system), _is_data)
    out: dict[str, Any] = {}
    found: dict[str, SiteInfo] = {}
    for where, f in (("step", _step), ("observe", _observe)):

        def verb(arrays: PyTree, f: Any = f) -> Any:
            return eqx.filter(f(system, cell.interventions, eqx.combine(arrays, rest), key, zero, zero), _is_data)

        out[where], shapes = catalogue(verb, before)
        for name, shape in shapes.items():
            places = f"{found[name].where}, {where}" if name in found else where
            found[name] = SiteInfo(name, tuple(shape.shape), str(shape.dtype), places)
    return before, out["step"], out["observe"], list(found.values())


def sites(system: System | HostSystem) -> list[SiteInfo]:
    """Every site of a system with shape, dtype and where it is announced, by abstract evaluation: nothing is
    computed.

    Raises:
        UserError: a `HostSystem`, whose sites are known only while it runs.
    """
    if isinstance(system, HostSystem):
        raise UserError(
            f"{type(system).__name__} is a HostSystem: its sites are Python values and known only while it runs; "
            "its study's page names them"
        )
    return _traced(Cell("", system, ()))[3]


_checked: dict[Any, tuple[dict[str, Any], tuple[str, ...], int]] = {}


def check(cell: Cell, taps: Sequence[str]) -> tuple[dict[str, Any], tuple[str, ...], int]:
    """Observables and taps of a condition with their shapes, and the bytes of one seed's state.

    Everything that is wrong with a system is said here, before anything is computed; once a signature.

    Raises:
        UserError: undeclared or missing observables, wrong numbers of dims, a state that changes its structure.
        SiteError: an intervention or a tap that addresses no site, or does not fit it.
    """
    known = (signature(cell), tuple(taps))
    if known not in _checked:
        _checked[known] = _check(cell, taps)
    return _checked[known]


def _check(cell: Cell, taps: Sequence[str]) -> tuple[dict[str, Any], tuple[str, ...], int]:
    owner = type(cell.system).__name__
    before, after, shapes, announced = _traced(cell)
    for intervention in cell.interventions:
        require(intervention.site, [s.name for s in announced], owner)
    in_step = [s.name for s in announced if "step" in s.where]
    tapped = tuple(dict.fromkeys(name for pattern in taps for name in require(pattern, in_step, owner)))
    _same_structure(owner, before, after)
    observables = cell.system.observables
    _declared(owner, observables, shapes)
    ordered = {o.name: shapes[o.name] for o in observables}
    if tapped:
        rest = _rest(cell.system)

        def inside(arrays: PyTree) -> dict[str, Array]:
            whole, zero = eqx.combine(arrays, rest), jnp.int32(0)
            return tap(_step, *tapped)(cell.system, cell.interventions, whole, key_of(0), zero, zero)[1]

        ordered |= jax.eval_shape(inside, before)
    for name in ordered:
        if name in ("condition", "seed", "time"):
            raise SiteError(f"{owner}: {name!r} is the name of an axis; call the observable or site otherwise")
    size = sum(int(np.prod(x.shape)) * x.dtype.itemsize for x in jax.tree.leaves(before))
    return ordered, tapped, size


def _declared(owner: str, observables: Sequence[Observable], shapes: dict[str, Any]) -> None:
    names = [o.name for o in observables]
    if not names:
        raise UserError(
            f"{owner}: observables is empty; declare what observe returns, e.g. observables = (el.Observable('x'),)"
        )
    extra, lacking = set(shapes) - set(names), set(names) - set(shapes)
    if extra or lacking:
        what = f"returns undeclared {sorted(extra)}" if extra else f"does not return {sorted(lacking)}"
        raise UserError(f"{owner}.observe {what}; its keys must be the names in `observables`")
    for o in observables:
        if len(shapes[o.name].shape) != len(o.dims):
            raise UserError(
                f"{owner}: observable {o.name!r} has dims {list(o.dims)} but observe returns shape "
                f"{list(shapes[o.name].shape)}"
            )


def _same_structure(owner: str, before: PyTree, after: PyTree) -> None:
    if jax.tree.structure(before) != jax.tree.structure(after):
        raise UserError(
            f"{owner}.step must return a state of the structure that init returns: {jax.tree.structure(before)}, "
            f"got {jax.tree.structure(after)}"
        )
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            name = jax.tree_util.keystr(path, simple=True, separator=".") or "the state"
            raise UserError(f"{owner}.step must keep {name} as {a.dtype}{list(a.shape)}, got {b.dtype}{list(b.shape)}")
