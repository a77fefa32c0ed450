"""The sorting study: exact identities, the law of the jump chain, metrics, interventions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import emergelab as el
from emergelab.engine import compiled
from emergelab.studies.societies.sorting import Sorting, study
from emergelab.studies.societies.sorting._bits import Board, count
from emergelab.studies.societies.sorting._state import (
    Tracker,
    count_inversions,
    gratification,
    inversion_change,
    total,
    track,
)
from emergelab.studies.societies.sorting._system import MIXES
from emergelab.studies.societies.sorting._traces import block_shuffled, delayed_gratification, over_swaps

from . import sorting_oracle as oracle

ALPHA = 1e-3  # of each comparison of distributions; seeds are fixed, so a test passes always or never


@jax.jit
def many_steps(system: Sorting, state: Any, keys: Any) -> Any:
    """The states that one step may lead to, one for each key."""
    return jax.vmap(system.step, (None, 0))(state, keys)


def initial(system: Sorting, seed: int) -> Any:
    return jax.tree.map(np.asarray, system.init(jax.random.fold_in(jax.random.key(seed), 2**32 - 1)))


def as_oracle(state: Any) -> list[oracle.Cell]:
    c = state.cells
    fields = zip(
        *(np.asarray(x).astype(int).tolist() for x in (c.value, c.algotype, c.frozen, c.direction, c.label, c.ideal)),
        strict=True,
    )
    return [oracle.Cell(*row) for row in fields]


# -- sets of positions
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 12, 32, 33, 97, 100, 130])
def test_sets_of_positions_agree_with_masks(n: int) -> None:
    board, rng = Board.of(n), np.random.default_rng(n)

    def unpack(words: Any) -> np.ndarray:
        bits = (np.asarray(words)[:, None] >> np.arange(board.width, dtype=np.uint32)) & 1
        return bits.ravel()[:n].astype(bool)

    for share in (0.0, 0.3, 1.0):
        mask = rng.random(n) < share
        x = board.pack(jnp.asarray(mask))
        np.testing.assert_array_equal(unpack(x), mask)
        np.testing.assert_array_equal(np.asarray(x), board.constant(mask))
        np.testing.assert_array_equal(unpack(board.right_of(x)), np.concatenate([[False], mask[:-1]]))
        np.testing.assert_array_equal(unpack(board.left_of(x)), np.concatenate([mask[1:], [False]]))
        assert int(count(x)) == int(total(jnp.asarray(mask))) == mask.sum()
        assert int(board.first(x)) == (np.flatnonzero(mask)[0] if mask.any() else n)
        assert int(board.sum(x)) == np.flatnonzero(mask).sum()
        chosen = jax.vmap(lambda u, x=x: board.choose(x, u))(jnp.linspace(0.0005, 0.9995, 1000))
        where, often = np.unique(np.asarray(chosen), return_counts=True)
        if mask.any():
            np.testing.assert_array_equal(where, np.flatnonzero(mask))
            assert often.max() - often.min() <= 1  # equal chances, to one step of the grid
    for last in (-1, 0, n // 2, n - 1, n):
        np.testing.assert_array_equal(unpack(board.upto(jnp.int32(last))), np.arange(n) <= last)
    np.testing.assert_array_equal(np.flatnonzero(unpack(board.only(jnp.int32(n - 1)))), [n - 1])


# -- metrics
# --------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=12), st.data())
def test_change_of_inversions_equals_a_recount(values: list[int], data: st.DataObject) -> None:
    a = data.draw(st.integers(0, 10))
    b = data.draw(st.integers(a + 1, 11))
    swapped = list(values)
    swapped[a], swapped[b] = swapped[b], swapped[a]
    before = jnp.asarray(values, jnp.int16)
    change = inversion_change(before, jnp.int32(a), jnp.int32(b))
    assert int(change) == oracle.inversions(swapped) - oracle.inversions(values)
    assert int(count_inversions(before)) == oracle.inversions(values)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=60))
def test_delayed_gratification_three_ways(changes: list[int]) -> None:
    trace = np.concatenate([[20], 20 + np.cumsum(changes)])
    none = jnp.zeros(2)
    start = Tracker(none, none, none > 0, none, none.astype(jnp.int32), none.astype(jnp.int32))
    padded = np.zeros(60, int)  # one length, one compilation; zeros change nothing
    padded[: len(changes)] = changes
    twice = jnp.asarray(np.stack([padded, -padded], axis=1), jnp.int32)
    end, _ = jax.lax.scan(lambda t, c: (track(t, c), None), start, twice)
    mean, code = gratification(end)
    for slot, errors in ((0, trace), (1, -trace)):
        for mode, running in (("mean", mean), ("code", code)):
            expected = oracle.delayed_gratification(errors.tolist(), mode)
            assert delayed_gratification(errors, mode) == pytest.approx(expected, abs=1e-9)
            assert float(running[slot]) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert int(end.rises[0]) == int((np.asarray(changes) > 0).sum())


def test_delayed_gratification_by_hand() -> None:
    # Up 1, down 3; up 2, down 2; then up 1 to the end: gains 2 and 0.
    trace = np.array([5, 6, 3, 4, 5, 3, 4])
    assert delayed_gratification(trace) == 1.0
    assert delayed_gratification(trace, "code") == 2.0
    assert delayed_gratification(np.array([9, 7, 7, 3])) == 0.0
    with pytest.raises(ValueError, match="mode must be"):
        delayed_gratification(trace, "median")


def test_block_shuffling_keeps_ends_and_changes() -> None:
    rng = np.random.default_rng(0)
    trace = np.cumsum(rng.integers(-2, 3, 101))
    again = block_shuffled(trace, 7, rng)
    assert again[0] == trace[0] and again[-1] == trace[-1]
    np.testing.assert_array_equal(np.sort(np.diff(again)), np.sort(np.diff(trace)))
    assert not np.array_equal(again, trace)


# -- exact identities
# -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The study at its smallest: twelve cells in every condition, to the end."""
    out = tmp_path_factory.mktemp("sorting") / "run"
    return study.run("tiny", seeds=24, taps=["state.cells.*"], out=out, progress=False)


@pytest.fixture(scope="module")
def arrays(tiny: Any) -> Any:
    return tiny.data.load()


def test_neighbour_swaps_equal_initial_inversions_seed_by_seed(arrays: Any) -> None:
    start = arrays.inversions.sel(condition="bubble", time=0)
    end = arrays.isel(time=-1)
    for name in ("bubble", "insertion", "bubble+insertion", "textbook-bubble", "textbook-insertion"):
        assert (arrays.inversions.sel(condition=name, time=0) == start).all(), name
        if name == "bubble+insertion":
            assert (end.swaps.sel(condition=name) == start).all(), name
        else:
            np.testing.assert_array_equal(end.swaps.sel(condition=name), start, err_msg=name)
        assert (end.inversions.sel(condition=name) == 0).all()


def test_inversions_never_rise_where_the_paper_sees_backtracking(arrays: Any) -> None:
    end = arrays.isel(time=-1)
    names = ["bubble", "insertion", "selection", "bubble+insertion"]
    names += [
        f"{a}-{kind}-{k}" for a in ("bubble", "insertion") for kind in ("movable", "immovable") for k in (1, 2, 3)
    ]
    names += [f"selection-immovable-{k}" for k in (1, 2, 3)]
    some = end.sel(condition=names)
    assert (some.inversion_rises == 0).all() and (some.dg_inversions == 0).all()
    assert (some.descent_rises.sum("seed") > 0).all()
    assert (end.inversion_rises.sel(condition="walker") > 20).all()


def test_everything_that_should_halts_in_order(arrays: Any) -> None:
    end = arrays.isel(time=-1)
    for name in (
        "bubble",
        "insertion",
        "selection",
        "bubble+selection",
        "all-three",
        "selection+insertion-duplicates",
    ):
        assert (end.descents.sel(condition=name) == 0).all(), name
        assert (end.halted.sel(condition=name) == 1).all(), name
        assert (end.in_place.sel(condition=name) == 100).all(), name
        assert (end.sortedness.sel(condition=name) == 100).all(), name
    assert (end.halted.sel(condition=[c for c in map(str, end.condition.values) if "movable" in c]) == 1).all()


def test_cells_are_only_exchanged_and_walls_stay(arrays: Any) -> None:
    cells = {k: arrays[f"state.cells.{k}"].values for k in ("value", "algotype", "frozen", "direction", "label")}
    whole = np.stack(list(cells.values()))  # field, condition, seed, time, position
    one = sum(whole[i].astype(np.int64) * 100**i for i in range(len(whole)))
    np.testing.assert_array_equal(np.sort(one, axis=-1), np.broadcast_to(np.sort(one[:, :, :1], axis=-1), one.shape))
    for c, name in enumerate(map(str, arrays.condition.values)):
        if "immovable" in name:
            frozen, value = cells["frozen"][c], cells["value"][c]
            assert (frozen == frozen[:, :1]).all()
            assert ((value == value[:, :1]) | (frozen != 2)).all()
            number = (frozen[:, 0] == 2).sum(axis=1)
            assert number.min() >= 1 and number.max() <= 3


def test_conditions_share_arrays_and_damage(arrays: Any) -> None:
    start = arrays.isel(time=0)
    value = start["state.cells.value"]
    permutations = [c for c in map(str, start.condition.values) if "duplicates" not in c]
    assert (value.sel(condition=permutations) == value.sel(condition="bubble")).all()
    for k in (1, 2, 3):
        places = start["state.cells.frozen"] > 0
        same = places.sel(
            condition=[f"bubble-movable-{k}", f"insertion-immovable-{k}", f"textbook-selection-immovable-{k}"]
        )
        assert (same == places.sel(condition=f"bubble-immovable-{k}")).all()
        fewer = places.sel(condition=f"bubble-immovable-{max(k - 1, 1)}")
        assert (places.sel(condition=f"bubble-immovable-{k}") >= fewer).all()


def test_walls_leave_bubble_insertion_and_their_textbooks_in_one_array(arrays: Any) -> None:
    end = arrays["state.cells.value"].isel(time=-1)
    for k in (1, 2, 3):
        first = end.sel(condition=f"bubble-immovable-{k}")
        for name in ("insertion", "textbook-bubble", "textbook-insertion"):
            assert (end.sel(condition=f"{name}-immovable-{k}") == first).all(), (name, k)


@pytest.mark.parametrize("algorithm", ["bubble", "insertion", "selection"])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_textbook_algorithms_are_the_textbooks(arrays: Any, algorithm: str, k: int) -> None:
    d = arrays.sel(condition=f"textbook-{algorithm}" + (f"-immovable-{k}" if k else ""))
    for seed in range(8):
        one = d.isel(seed=seed)
        values, comparisons, swaps = oracle.textbook(
            one["state.cells.value"].values[0].tolist(),
            (one["state.cells.frozen"].values[0] == 2).tolist(),
            algorithm,
        )
        assert one["state.cells.value"].values[-1].tolist() == values
        assert (float(one.reads[-1]), int(one.swaps[-1])) == (comparisons, swaps)
        assert float(one.cost[-1]) == float(one.published_cost[-1]) == comparisons + swaps


def test_labels_do_not_change_what_happens(arrays: Any) -> None:
    for m in ("bubble+selection", "all-three"):
        for name in ("descents", "swaps", "activations", "reads"):
            assert (arrays[name].sel(condition=m) == arrays[name].sel(condition=f"{m}-shuffled")).all()
        labels = arrays["state.cells.label"].isel(time=0)
        both = labels.sel(condition=m), labels.sel(condition=f"{m}-shuffled")
        assert (np.sort(both[0].values) == np.sort(both[1].values)).all() and (both[0] != both[1]).any()


# -- the law of the jump chain
# --------------------------------------------------------------------------------------


def random_state(system: Sorting, seed: int, disturb: bool = True) -> Any:
    """An initial state whose aims are moved about, so that selection cells are met in all situations."""
    state = initial(system, seed)
    if disturb:
        ideal = np.random.default_rng(seed).integers(0, system.n, system.n).astype(np.int16)
        state = eqx.tree_at(lambda s: s.cells.ideal, state, ideal)
    return jax.tree.map(jnp.asarray, state)


@pytest.mark.parametrize(
    "settings_",
    [
        {"mix": "all three"},
        {"mix": "all three", "frozen": 5, "frozen_kind": "movable"},
        {"mix": "all three", "frozen": 4},
        {
            "mix": "all three",
            "bubble_order": "down",
            "selection_order": "down",
            "insertion_order": "down",
            "frozen": 2,
        },
        {"mix": "bubble+selection", "selection_rate": 0.25, "bubble_rate": 2.0},
        {"mix": "insertion", "frozen": 3, "copies": 3},
        {"mix": "selection", "frozen": 3, "frozen_kind": "movable", "copies": 4},
    ],
    ids=["plain", "movable", "walls", "down", "rates", "insertion", "copies"],
)
def test_every_event_is_drawn_with_its_probability(settings_: dict[str, Any]) -> None:
    system, draws = Sorting(n=13, **settings_), 4000
    rates = (float(system.bubble_rate), float(system.insertion_rate), float(system.selection_rate))
    p_values = []
    for seed in range(4):
        state = random_state(system, seed)
        cells = as_oracle(state)
        live = sum(rates[c.algotype] for c in cells if c.frozen == 0)
        expected: dict[tuple[tuple[int, ...], ...], float] = {}
        for weight, actor, a, b in oracle.moves(cells):
            after = [oracle.Cell(**vars(c)) for c in cells]
            acting, other = after[actor], after[a if actor == b else b]
            if acting.algotype == 2 and (a == b or after[acting.ideal].frozen):
                acting.ideal += acting.direction
            if a != b:
                assert other is not acting
                after[a], after[b] = after[b], after[a]
            key = tuple((c.value, c.algotype, c.frozen, c.label, c.ideal) for c in after)
            expected[key] = expected.get(key, 0.0) + weight * rates[cells[actor].algotype] / live
        share = sum(expected.values())
        out = jax.tree.map(np.asarray, many_steps(system, state, jax.random.split(jax.random.key(seed), draws)))
        c = out.cells
        rows = np.stack([c.value, c.algotype, c.frozen, c.label, c.ideal], axis=-1).astype(int)
        seen: dict[tuple[tuple[int, ...], ...], int] = {}
        for row in rows:
            key = tuple(map(tuple, row.tolist()))
            seen[key] = seen.get(key, 0) + 1
        assert set(seen) <= set(expected), "an event happened that the rules do not allow"
        observed = np.array([seen.get(k, 0) for k in expected])
        wanted = draws * np.array(list(expected.values())) / share
        if len(expected) > 1:
            p_values.append(stats.chisquare(observed, wanted).pvalue)
        # Waiting times: geometric, counted in awakenings.
        mean = out.activations.mean()
        spread = math.sqrt((1 - share) / share**2 / draws) + 1e-9
        assert abs(mean - 1 / share) < 4.5 * spread
    assert all(p > ALPHA / 4 for p in p_values)


NAIVE = {
    "bubble": {"mix": "bubble"},
    "insertion": {"mix": "insertion"},
    "selection": {"mix": "selection"},
    "chimera": {"mix": "all three", "stop": "sorted"},
    "movable": {"mix": "all three", "frozen": 4, "frozen_kind": "movable", "cap": 50},
    "walls": {"mix": "all three", "frozen": 2},
    "rates": {"mix": "bubble+selection", "selection_rate": 0.2, "insertion_rate": 3.0},
    "down": {"mix": "selection+insertion", "selection_order": "down", "insertion_order": "down"},
    "opposed": {"mix": "bubble+selection", "bubble_order": "down", "cap": 60},
    "copies": {"mix": "selection", "copies": 3},
    "noise": {"mix": "all three", "noise": 0.1, "cap": 40},
    "round-robin": {
        "mix": "bubble+selection",
        "scheduler": "round-robin",
        "frozen": 1,
        "frozen_kind": "movable",
        "cap": 50,
    },
    "bursts": {"mix": "bubble+insertion", "scheduler": "bursts", "burst": 4.0, "stop": "sorted"},
}


@pytest.fixture(scope="module")
def against_naive(tmp_path_factory: pytest.TempPathFactory) -> Any:
    before = compiled.compilations
    run = el.run(
        Sorting(n=11),
        steps=1500,
        every=1500,
        seeds=160,
        workers=1,
        conditions=NAIVE,
        progress=False,
        out=tmp_path_factory.mktemp("naive") / "run",
    )
    assert compiled.compilations - before <= 1, "all settings are data of one compiled program"
    return run.data.isel(time=-1).load()


@pytest.mark.parametrize("name", NAIVE)
def test_distributions_equal_those_of_naive_activation(against_naive: Any, name: str) -> None:
    system = Sorting(n=11, **NAIVE[name])
    ours = against_naive.sel(condition=name)
    assert (ours.halted == 1).all()
    rng = np.random.default_rng(7)
    rates = (float(system.bubble_rate), float(system.insertion_rate), float(system.selection_rate))
    options = {
        "noise": float(system.noise),
        "cap": int(system.cap),
        "stop": ("quiet", "sorted")[int(system.stop)],
        "burst": float(system.burst),
        "scheduler": ("random", "round-robin", "bursts")[int(system.scheduler)],
    }
    naive = [
        oracle.simulate(as_oracle(initial(system, seed)), rng, rates=rates, **options)
        for seed in range(ours.sizes["seed"])
    ]
    theirs = {
        "swaps": [o.swaps for o in naive],
        "activations": [o.activations for o in naive],
        "descents": [o.descents[-1] for o in naive],
        "aggregation_peak": [o.aggregation_peak for o in naive],
        "descent_rises": [int((np.diff(o.descents) > 0).sum()) for o in naive],
        "inversion_rises": [int((np.diff(o.inversions) > 0).sum()) for o in naive],
        "dg": [delayed_gratification(np.array(o.descents)) for o in naive],
        "dg_inversions": [delayed_gratification(np.array(o.inversions)) for o in naive],
    }
    for observable, values in theirs.items():
        # Rounded, for equal fractions differ in their last digits between float32 and float64.
        mine, other = (np.round(np.asarray(x, float), 4) for x in (ours[observable].values, values))
        p = stats.ks_2samp(mine, other, method="asymp").pvalue
        assert p > ALPHA, (observable, ours[observable].values.mean(), np.mean(values))
    # Reads are kept in expectation, so their means must agree and their spreads need not.
    published = ours.published_cost.values
    for mine, other in (
        (ours.reads.values, [o.reads for o in naive]),
        (published, [o.published_reads for o in naive]),
    ):
        error = math.hypot(np.std(mine), np.std(other)) / math.sqrt(len(naive))
        assert abs(mine.mean() - np.mean(other)) < 4.5 * error, (mine.mean(), np.mean(other))


def test_schedulers_with_memory_take_turns() -> None:
    keys = jax.random.split(jax.random.key(0), 400)
    for scheduler in ("round-robin", "bursts"):
        system = Sorting(n=13, mix="bubble", scheduler=scheduler, burst=5.0)
        state = random_state(system, 0, disturb=False)
        state = eqx.tree_at(lambda s: s.turn, state, jnp.int32(6))
        out = jax.tree.map(np.asarray, many_steps(system, state, keys))
        changed = (out.cells.value != np.asarray(state.cells.value)).any(axis=0)
        assert not changed[:5].any() and not changed[8:].any()  # only the cell whose turn it is may move
        assert (out.activations == 1).all()
        if scheduler == "round-robin":
            assert (out.turn == 7).all()
        else:
            assert 0.1 < np.mean(~np.isin(out.turn, (5, 6, 7))) < 0.22  # 1/5 end their burst, 10 of 13 go elsewhere


# -- interventions, bounds, study
# -----------------------------------------------------------------------------------


NEVER = (10**6, 10**6 + 1)


def interventions(**when: Any) -> el.Condition:
    """One list of interventions for all conditions, most of them never: so one program serves them all."""
    wall = np.zeros(33, int)
    wall[10] = 2

    def at(name: str) -> Any:
        return when.get(name, NEVER)

    return el.Condition(
        {},
        (
            el.Clamp("state.cells.frozen", wall, during=at("lesion")),
            el.Swap("state.cells.*", list(range(5)), list(range(28, 33)), during=at("transplant")),
            el.Clamp("swap", False, during=at("silence")),
            el.Scale("rates", np.zeros(3), during=at("still")),
            el.Clamp("noise", 0.5, during=at("errs")),
        ),
    )


def test_lesion_transplant_silence_and_rates(tmp_path: Any) -> None:
    kinds = {
        "plain": interventions(),
        "lesion": interventions(lesion=(30, 31)),
        "transplant": interventions(transplant=(80, 81)),
        "silence": interventions(silence=(0, 50)),
        "still": interventions(still=(0, 10**6)),
        "errs": interventions(errs=(0, 10**6)),
    }
    # 33 cells: the one word more than full.
    run = el.run(
        Sorting(n=33),
        steps=800,
        every=10,
        seeds=12,
        conditions=kinds,
        taps=["state.cells.*"],
        out=tmp_path / "r",
        progress=False,
    )
    d = run.data.load()
    end = d.isel(time=-1)
    value = d["state.cells.value"]
    place = {value.dims[-1]: 10}
    assert (value.sel(condition="lesion").isel(place).sel(time=slice(40, None)).std("time") == 0).all()
    plain = d.sel(condition="plain")
    assert (plain.descents.isel(time=-1) == 0).all()
    np.testing.assert_array_equal(plain.swaps.isel(time=-1), plain.inversions.isel(time=0))
    assert (end.descents.sel(condition="lesion") > 0).any()
    # Inversions are counted afresh, so an array that was cut up in mid-run is judged as it is, and repairs
    # itself.
    cut = d.inversions.sel(condition="transplant")
    assert (cut.sel(time=90) > d.inversions.sel(condition="plain").sel(time=90)).any()
    assert (end.descents.sel(condition="transplant") == 0).all()
    assert (np.sort(value.sel(condition="transplant").values, axis=-1) == np.arange(33)).all()
    quiet = d.sel(condition="silence")
    assert (quiet.swaps.sel(time=50) == 0).all() and (quiet.swaps.isel(time=-1) > 0).all()
    assert (end.swaps.sel(condition="still") == 0).all() and (end.halted.sel(condition="still") == 1).all()
    assert (end.halted.sel(condition="errs") == 0).all() and (end.inversion_rises.sel(condition="errs") > 0).all()


def test_two_cells_and_too_many_frozen() -> None:
    system = Sorting(n=2, mix="selection")
    for seed in range(4):
        state = jax.tree.map(jnp.asarray, initial(system, seed))
        for t in range(4):
            state = jax.tree.map(lambda x: x[0], many_steps(system, state, jax.random.split(jax.random.key(t), 1)))
        assert np.asarray(state.cells.value).tolist() == [0, 1]
        assert int(state.swaps) == oracle.descents(np.asarray(initial(system, seed).cells.value).tolist())
    assert (initial(Sorting(n=5, frozen=50, frozen_where="middle"), 0).cells.frozen == 2).all()
    state = jax.tree.map(jnp.asarray, initial(Sorting(n=2, frozen=50, frozen_where="left"), 0))
    still = many_steps(Sorting(n=2), state, jax.random.split(jax.random.key(0), 1))
    assert float(still.activations[0]) == 0 and bool(jnp.isfinite(still.reads[0]))


def test_frozen_places(tmp_path: Any) -> None:
    for where, expected in (("left", [0, 1, 2]), ("middle", [4, 5, 6]), ("right", [8, 9, 10])):
        state = initial(Sorting(n=11, frozen=3, frozen_where=where), 0)
        assert np.flatnonzero(state.cells.frozen).tolist() == expected


def test_mixes_are_even_and_labels_follow() -> None:
    for mix, kinds in MIXES.items():
        cells = initial(Sorting(n=99, mix=mix), 3).cells
        here, number = np.unique(cells.algotype, return_counts=True)
        assert set(here) == set(kinds) and number.max() - number.min() <= 1
        if len(kinds) > 1:
            assert all(len(np.unique(cells.label[cells.algotype == k])) == 1 for k in kinds)


def test_wrong_parameters_are_named() -> None:
    with pytest.raises(el.UserError, match=r"Sorting: parameter 'noise' must be .*\[0, 0.5\], got 0.7"):
        Sorting(noise=0.7)
    with pytest.raises(el.UserError, match="'mix' must be one of"):
        Sorting(mix="quick")


def test_curves_over_swaps_ignore_waiting(arrays: Any) -> None:
    curves = over_swaps(arrays.sel(condition="bubble", drop=True), "inversions")
    start = curves[:, :1]
    # One inversion a swap: a straight line, whatever the number of events between records.
    np.testing.assert_allclose(curves, start * (1 - np.linspace(0, 1, 101)), atol=1e-6 * start.max())


def test_study_at_its_smallest(tiny: Any) -> None:
    assert not tiny.diverged
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    drawn = study.draw(tiny)
    assert [f.name for f, _ in drawn] == [f.name for f in study.figures]


def test_the_view_shows_the_cells_of_the_last_state_that_was_kept(tmp_path: Path) -> None:
    run = study.run("tiny", seeds=2, conditions=["all-three"], keep=[0, 100], out=tmp_path / "run", progress=False)
    view = study.view
    assert view is not None
    cells = view.at(run, "all-three", 1, 150).layers[1]
    state = run.state(100).sel(seed=1)
    np.testing.assert_array_equal(cells.y, state["cells.value"].values)
    np.testing.assert_array_equal(cells.kind, state["cells.algotype"].values)
    assert set(cells.state["frozen"]) == {"no"}
    before, after = (view.at(run, "all-three", 1, t).layers[1].y for t in (0, 150))
    # The rule moves cells, and neither makes nor loses one.
    assert sorted(before) == sorted(after) and (before != after).any()


def test_the_view_of_a_run_that_kept_no_states_says_what_to_do(tiny: Any) -> None:
    assert study.view is not None
    with pytest.raises(el.UserError, match="--keep log"):
        study.view.at(tiny, "bubble", 0, 100)
