"""The study `icl`: laws of its data, its two forward passes, its sites, its scores, and that it learns."""

from __future__ import annotations

from collections import Counter
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from jaxtyping import Array, Float

import emergelab as el
from emergelab.nn.attention_only import AttentionOnly, Gated, Minimal, Tokens, causal_softmax
from emergelab.nn.item_labels import Prior, Sequences, Table, bursty, draw, prior, table, unsupported
from emergelab.studies.networks.icl import study
from emergelab.studies.networks.icl._measures import duration_over_onset, lesser_of_both, rise
from emergelab.studies.networks.icl._system import InContext, blurred

LABELS, CLASSES, DIM, ITEMS, BURST = 4, 64, 6, 8, 4
SMALL = {"labels": 8, "dim": 12, "items": 4, "burst": 2, "positions": 9, "batch": 32, "classes": 64, "k": 64}


@pytest.fixture(scope="module")
def vectors() -> Table:
    return table(jax.random.key(1), CLASSES, LABELS, DIM)


@pytest.fixture(scope="module")
def flat() -> Prior:
    return prior(CLASSES, 0.0, CLASSES, LABELS)


@partial(jax.jit, static_argnames=("batch", "distinct", "swap"))
def _made(vectors, p, *, batch, distinct, swap, **shares):
    key = jax.random.key(2)
    sizes = {"batch": batch, "items": ITEMS, "burst": BURST}
    return bursty(key, vectors, p, **sizes, distinct=distinct, swap=swap, **shares)


def _make(
    vectors: Table, p: Prior, batch: int = 1000, distinct: bool = False, swap: int = 0, **how: float
) -> Sequences:
    # Shares and noise as operands, so that equal shapes share a program.
    shares = {"p_bursty": 1.0, "p_novel": 0.0, "noise": 0.1, **how}
    return _made(vectors, p, batch=batch, distinct=distinct, swap=swap, **shares)


def _classes(vectors: Table, content: Float[Array, "batch token dim"]) -> np.ndarray:
    """Which class each item is of, read back from noiseless sequences: -1 if of none."""
    items = np.asarray(content)[:, ::2]
    far = np.linalg.norm(items[:, :, None] - np.asarray(vectors.means), axis=-1)
    return np.where(far.min(axis=-1) < 1e-4, far.argmin(axis=-1), -1)


# -- data ----------------------------------------------------------------------------------------------------


def test_a_bursty_sequence_shows_the_class_it_asks_for_exactly_burst_times(vectors, flat):
    s = _make(vectors, flat, noise=0.0)
    k = _classes(vectors, s.content)
    assert k.shape == (1000, ITEMS + 1)
    assert (k >= 0).all()
    np.testing.assert_array_equal(k[:, -1] % LABELS, s.target)
    np.testing.assert_array_equal(k[:, :-1] % LABELS, s.labels)
    np.testing.assert_array_equal(k[:, :-1] == k[:, -1:], s.match)
    # Two equal draws give one class all places, once in CLASSES sequences.
    assert set(np.asarray(s.match.sum(axis=1))) <= {BURST, 2 * BURST}
    assert (np.asarray(s.match.sum(axis=1)) == BURST).mean() > 0.95
    shown = np.asarray(vectors.labels)[np.asarray(s.labels)]
    np.testing.assert_allclose(s.content[:, 1::2], shown, atol=1e-6)
    # Neither the place of the matching items nor the label asked for may give the answer away.
    assert abs(np.asarray(s.match).mean(axis=0) - 0.5).max() < 0.1
    assert abs(np.bincount(np.asarray(s.target), minlength=LABELS) / 1000 - 1 / LABELS).max() < 0.08


def test_without_burstiness_all_items_are_independent_draws(vectors, flat):
    k = _classes(vectors, _make(vectors, flat, p_bursty=0.0, noise=0.0).content)
    again = (k[:, :-1] == k[:, -1:]).mean()
    assert again == pytest.approx(1 / CLASSES, abs=0.006)
    frequency = np.bincount(k.ravel(), minlength=CLASSES) / k.size
    assert abs(frequency - 1 / CLASSES).max() < 0.006


def test_the_mixture_has_the_shares_it_is_told(vectors, flat):
    s = _make(vectors, flat, p_bursty=0.6, p_novel=0.25, noise=0.0)
    new = (_classes(vectors, s.content) == -1).all(axis=1)
    supported = np.asarray(s.match.sum(axis=1)) >= BURST
    assert new.mean() == pytest.approx(0.15, abs=0.03)
    assert supported.mean() == pytest.approx(0.6, abs=0.04)
    assert supported[new].all()


def test_made_up_classes_carry_labels_that_only_the_context_tells(vectors, flat):
    s = _make(vectors, flat, p_novel=1.0, distinct=True)
    labels, match = np.asarray(s.labels), np.asarray(s.match)
    for row, hit, target in zip(labels, match, np.asarray(s.target), strict=True):
        assert set(row[hit]) == {target}
        assert set(Counter(row).values()) == {BURST}  # two classes, two labels
    pairs = Counter(tuple(sorted(set(row))) for row in labels)
    assert len(pairs) == LABELS * (LABELS - 1) // 2  # every pair of labels occurs


def test_swapped_labels_contradict_the_weights(vectors, flat):
    plain, moved = (_make(vectors, flat, swap=s, noise=0.0) for s in (0, 1))
    np.testing.assert_array_equal((plain.target + 1) % LABELS, moved.target)
    np.testing.assert_array_equal(plain.content[:, ::2], moved.content[:, ::2])


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_classes_follow_zipfs_law(alpha):
    k = 32
    p = prior(jnp.asarray(k), jnp.asarray(alpha), CLASSES, LABELS)
    got = np.bincount(np.asarray(draw(jax.random.key(0), p, (200_000,))), minlength=CLASSES) / 200_000
    want = np.where(np.arange(CLASSES) < k, (np.arange(CLASSES) + 1.0) ** -alpha, 0.0)
    np.testing.assert_allclose(got, want / want.sum(), atol=0.004)
    assert got[k:].sum() == 0


def test_no_two_classes_of_a_sequence_share_a_label_if_they_must_not(vectors):
    p = prior(CLASSES, 1.0, CLASSES, LABELS)
    k = _classes(vectors, _make(vectors, p, distinct=True, noise=0.0).content)[:, :-1] % LABELS
    assert all(len(set(row)) == ITEMS // BURST for row in k)
    loose = _classes(vectors, _make(vectors, p, noise=0.0).content)[:, :-1] % LABELS
    assert any(len(set(row)) < ITEMS // BURST for row in loose)


def test_unsupported_sequences_never_show_the_label_asked_for(vectors):
    p = prior(CLASSES, 1.5, CLASSES, LABELS)
    s = unsupported(jax.random.key(0), vectors, p, batch=1000, items=ITEMS, noise=0.0)
    assert not (np.asarray(s.labels) == np.asarray(s.target)[:, None]).any()
    assert not s.match.any()
    # The class asked for still follows the prior, and so do the others, given that they avoid its label.
    asked = np.bincount(_classes(vectors, s.content)[:, -1], minlength=CLASSES) / 1000
    weight = (np.arange(CLASSES) + 1.0) ** -1.5
    assert asked[0] == pytest.approx(weight[0] / weight.sum(), abs=0.05)


def test_items_keep_unit_length_whatever_the_noise(vectors, flat):
    for noise in (0.0, 0.1, 2.0):
        items = _make(vectors, flat, noise=noise, p_novel=1.0).content[:, ::2]
        assert float(jnp.square(items).sum(axis=-1).mean()) == pytest.approx(1.0, abs=0.06)


# -- the networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shifted", [False, True])
def test_lean_and_full_are_the_same_function_with_the_same_gradient(shifted):
    content = jax.random.normal(jax.random.key(0), (5, 9, 12))
    spare = 4 if shifted else 0
    start = jnp.array([0, 1, 4, 2, 3]) if shifted else None
    tokens = Tokens(content, start, 9 + spare)
    net = AttentionOnly.make(jax.random.key(1), 9 + spare + 12, 7)
    target = jax.random.normal(jax.random.key(2), (5, 7))

    @partial(jax.jit, static_argnums=0)
    def everything(forward, net):
        def loss(net):
            logits, seen = el.tap(forward, "L.*.pattern")(net, tokens)
            return (logits * target).sum(), (logits, seen)

        (_, out), down = jax.value_and_grad(loss, has_aux=True)(net)
        return *out, down

    lean, seen, down = everything(AttentionOnly.lean, net)
    full, seen_full, down_full = everything(AttentionOnly.full, net)
    np.testing.assert_allclose(lean, full, rtol=2e-4, atol=2e-5)
    for a, b in zip(jax.tree.leaves(down), jax.tree.leaves(down_full), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
    for name in ("L.0.pattern", "L.1.pattern"):
        rows = seen[name].shape[1]
        np.testing.assert_allclose(seen[name], seen_full[name][:, -rows:], rtol=2e-4, atol=2e-5)


def test_full_is_the_textbook_formula():
    """Against a plain numpy forward pass with loops over queries, which shares no code with the network."""
    tokens = Tokens(jax.random.normal(jax.random.key(0), (1, 5, 3)), None, 5)
    net = AttentionOnly.make(jax.random.key(1), 8, 4)
    x = np.concatenate([np.eye(5), np.asarray(tokens.content[0])], axis=1)
    for head in net.heads:
        q, k, v = (x @ np.asarray(w) for w in (head.query, head.key, head.value))
        out = np.zeros_like(x)
        for i in range(5):
            weight = np.exp(k[: i + 1] @ q[i])
            out[i] = weight / weight.sum() @ v[: i + 1]
        x = x + out
    h = x[-1]
    for weight, bias in zip(net.readout.layers, net.readout.biases, strict=True):
        h = np.maximum(h @ np.asarray(weight) + float(bias), 0)
    np.testing.assert_allclose(
        jax.jit(AttentionOnly.full)(net, tokens)[0], h @ np.asarray(net.readout.out), rtol=1e-4, atol=1e-5
    )


def test_no_token_sees_a_later_one():
    pattern = np.asarray(causal_softmax(jax.random.normal(jax.random.key(0), (3, 6, 6))))
    assert (np.triu(pattern, 1) == 0).all()
    np.testing.assert_allclose(pattern.sum(axis=-1), 1, rtol=1e-5)
    last = np.asarray(causal_softmax(jnp.zeros((1, 1, 6))))
    np.testing.assert_allclose(last, 1 / 6, rtol=1e-6)


@pytest.mark.parametrize("forward", [AttentionOnly.lean, AttentionOnly.full])
def test_a_clamped_pattern_leaves_nothing_to_learn_for_its_queries_and_keys(forward):
    tokens = Tokens(jax.random.normal(jax.random.key(0), (4, 9, 12)), None, 9)
    net = AttentionOnly.make(jax.random.key(1), 21, 7)

    def loss(net: AttentionOnly) -> Float[Array, ""]:
        with el.edit(el.Clamp("L.0.pattern", jnp.eye(9))):
            return jnp.square(forward(net, tokens)).sum()

    first, second = jax.jit(jax.grad(loss))(net).heads
    assert not first.query.any()
    assert not first.key.any()
    assert first.value.any()
    assert all(w.any() for w in (second.query, second.key, second.value))


def test_the_recurrent_net_has_as_many_weights_and_reads_every_token():
    width = 21
    attention, gru = (
        jax.eval_shape(lambda make=make: make(jax.random.key(0), width, 7)) for make in (AttentionOnly.make, Gated.make)
    )
    count = [sum(w.size for w in jax.tree.leaves(net)) for net in (attention, gru)]
    assert count[1] - count[0] == 3 * width  # its gates' biases
    content = jax.random.normal(jax.random.key(0), (2, 9, 12))
    gru = Gated.make(jax.random.key(0), width, 7)
    answer = jax.jit(lambda content: el.tap(gru, "h")(Tokens(content, None, 9)))
    before, seen = answer(content)
    for t in (0, 8):
        assert abs(answer(content.at[:, t].add(1.0))[0] - before).max() > 1e-5
    assert seen["h"].shape == (9, 2, width)


def test_two_large_numbers_make_an_induction_head():
    """Of what the last item gives to labels, all goes to those of its class; with either number 0 half of it does."""
    t = table(jax.random.key(0), 64, 8, 48)
    data = bursty(jax.random.key(1), t, prior(64, 0.0, 64, 8), batch=200, items=4, burst=2, noise=0.1, distinct=True)
    net = Minimal.make(jax.random.key(2), 48, 8)

    @jax.jit
    def share(first, second):
        made = eqx.tree_at(lambda n: (n.first, n.second), net, (first, second))
        to_labels = el.tap(made, "L.*.pattern")(Tokens(data.content, None, 9))[1]["L.1.pattern"][:, 0, 1::2]
        return ((to_labels * data.match).sum(axis=1) / to_labels.sum(axis=1)).mean()

    large, none = jnp.float32(8.0), jnp.float32(0.0)
    assert share(large, large) > 0.99
    assert share(none, none) == pytest.approx(0.5) and share(large, none) == pytest.approx(0.5)


def test_a_class_means_one_thing_in_a_sequence_and_any_of_its_meanings_over_all():
    t = table(jax.random.key(0), 64, 8, 12)
    draw = {"batch": 500, "items": 4, "burst": 2, "noise": 0.0}
    data = bursty(jax.random.key(1), t, prior(64, 0.0, 64, 8), **draw, meanings=3)
    items = np.asarray(data.content)[:, ::2]
    index = np.argmin(((items[:, :, None] - np.asarray(t.means)) ** 2).sum(-1), axis=-1)
    label = np.concatenate([data.labels, data.target[:, None]], axis=1)
    shift = (label - index) % 8
    assert set(shift.ravel()) == {0, 1, 2}
    for k in range(3):
        assert np.mean(shift == k) == pytest.approx(1 / 3, abs=0.05)
    different = index[:, :, None] != index[:, None, :]
    agree = shift[:, :, None] == shift[:, None, :]
    two = different.any(axis=(1, 2))  # sequences of two classes
    assert (agree | different)[two].all()
    plain = bursty(jax.random.key(1), t, prior(64, 0.0, 64, 8), **draw)
    np.testing.assert_array_equal(plain.match, data.match)


def test_blurred_labels_cannot_tell_their_items_apart():
    pattern = causal_softmax(jax.random.normal(jax.random.key(0), (3, 9, 9)))
    even = np.asarray(blurred(pattern))
    np.testing.assert_allclose(even[:, 1::2], 1 / 9, rtol=1e-6)
    np.testing.assert_array_equal(even[:, ::2], pattern[:, ::2])


# -- the system ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("icl") / "run", progress=False, workers=1)


def test_scores_begin_at_chance(tiny):
    labels = study.sizes["tiny"].set["labels"]
    start = tiny.data.isel(time=0).mean(["condition", "seed"])
    for name in ("acc_train", "acc_icl", "acc_icl_swap", "acc_iwl", "acc_icl_cut", "acc_iwl_cut"):
        assert float(start[name]) == pytest.approx(1 / labels, abs=0.11), name
    assert float(start.cla) == pytest.approx(2 / labels, abs=0.2)
    assert float(start.loss) == pytest.approx(np.log(labels), abs=0.5)
    np.testing.assert_allclose(tiny.data.pattern_1.sum("from"), 1, rtol=1e-4)
    np.testing.assert_allclose(tiny.data.pattern_2.sum("from"), 1, rtol=1e-4)
    np.testing.assert_allclose(tiny.data.icl_iwl, tiny.data.acc_icl_swap - tiny.data.acc_iwl, atol=1e-6)


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims) == 15
    # Three seeds are too few for any verdict, and the sweeps are not there.
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}
    assert [figure.name for figure, _ in study.draw(tiny)] == ["traces", "attention", "onset", "controls"]
    assert not tiny.diverged


def test_the_view_shows_both_patterns(tiny):
    cells, names = study.view.at(tiny, "bursty", 1, 40).layers
    d = tiny.data.sel(condition="bursty", seed=1, time=40)
    np.testing.assert_array_equal(cells.values[:9], d.pattern_1.transpose("to", "from").values)
    np.testing.assert_array_equal(cells.values[-1], d.pattern_2.values)
    assert np.isnan(cells.values[9]).all() and cells.values.shape == (11, 9)
    assert names.words[:3] == ["x1", "l1", "x2"] and names.words[8] == "?"


def test_training_lowers_the_loss_by_context_or_by_weights_as_the_data_say():
    """Bursty data teach to answer with labels of the context, independent draws to remember the classes."""
    system = InContext(**{**SMALL, "k": 16}, rate=3e-3)
    key = jax.random.key(0)

    def score(s, state, data):
        logits = s.logits(state.net, s.tokens(key, data.content))
        loss = -jnp.take_along_axis(jax.nn.log_softmax(logits), data.target[:, None], axis=1).mean()
        answer = logits.argmax(axis=-1)
        return loss, (answer == data.target).mean(), (answer[:, None] == data.labels).any(axis=1).mean()

    @jax.jit
    def train(p_bursty):
        s = eqx.tree_at(lambda s: s.p_bursty, system, p_bursty)
        first = s.init(key)
        data = s.sequences(jax.random.key(1), first.table, s.prior(), 256)
        alone = unsupported(jax.random.key(2), first.table, s.prior(), batch=256, items=s.items)
        step = lambda state, t: (s.step(state, jax.random.fold_in(key, t)), None)  # noqa: E731
        last, _ = jax.lax.scan(step, first, jnp.arange(300))
        return score(s, first, data)[0], score(s, last, data), score(s, last, alone)

    for p_bursty in (1.0, 0.0):
        before, (after, _, shortcut), (_, weights, _) = train(jnp.asarray(p_bursty))
        assert after < 0.6 * before
        if p_bursty:
            assert shortcut > 0.9
        else:
            assert weights > 0.6


@pytest.fixture(scope="module")
def stepped():
    """A step whose system is an operand: one program for all values of the traced parameters."""
    return jax.jit(lambda system, state: system.step(state, jax.random.key(3)))


def test_the_number_of_classes_is_traced_and_changes_nothing_else(stepped):
    """A step with K as an operand equals the step of a system in which K is a constant of the program."""
    system = InContext(**SMALL)
    state = jax.jit(lambda key: system.init(key))(jax.random.key(3))
    few = system.with_(k=16)
    constant = jax.jit(lambda state: few.step(state, jax.random.key(3)))(state)
    for a, b in zip(jax.tree.leaves(stepped(few, state)), jax.tree.leaves(constant), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    many = stepped(system, state)
    assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (constant.net, many.net)), strict=True))
    assert stepped._cache_size() == 1


def test_plain_gradient_descent_is_what_it_says(stepped):
    system = InContext(**SMALL, optimiser="sgd", rate=0.5, decay=0.0)
    state = jax.jit(lambda key: system.init(key))(jax.random.key(0))
    once, twice, still = (
        stepped(s, state).net for s in (system, system.with_(rate=1.0), system.with_(rate=0.0, decay=0.25))
    )
    for w, a, b, c in zip(*map(jax.tree.leaves, (state.net, once, twice, still)), strict=True):
        np.testing.assert_allclose(b - w, 2 * (a - w), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(c, 0.75 * w, rtol=1e-6)


def test_the_data_can_be_switched_in_mid_training():
    system = InContext(**SMALL)
    names = {s.name for s in el.sites(system.with_(compute="full"))}
    assert {"p_bursty", "p_novel", "alpha", "noise", "embed", "final", "mlp.2", "logits", "state.table.means"} <= names
    assert {f"L.{i}.{x}" for i in (0, 1) for x in ("q", "k", "v", "scores", "pattern", "skip", "out")} <= names
    state = jax.jit(lambda key: system.init(key))(jax.random.key(0))
    key = jax.random.key(1)
    with el.edit(el.Clamp("p_bursty", 0.0)):
        clamped = system.sequences(key, state.table, system.prior(), 64)
    uniform = system.with_(p_bursty=0.0)
    plain = uniform.sequences(key, state.table, uniform.prior(), 64)
    np.testing.assert_array_equal(clamped.content, plain.content)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"burst": 3}, "'burst' must divide items=4"),
        ({"k": 20}, "'k' must be a multiple of labels=8"),
        ({"k": 128}, "'k' must be at most classes=64"),
        ({"positions": 8}, "'positions' must be at least"),
        ({"classes": 60}, "'classes' must be a multiple"),
        ({"labels": 2, "burst": 1}, "'labels' must exceed"),
        ({"p_bursty": 1.5}, "'p_bursty' must be"),
        ({"net": "lstm"}, "'net' must be one of"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        InContext(**{**SMALL, "k": 64, **wrong})


# -- measures and study --------------------------------------------------------------------------------------


def _curves(*rows: np.ndarray, time: np.ndarray) -> xr.Dataset:
    icl = np.stack(rows)
    cla = np.where(time >= 200, 1.0, 0.1) * np.ones_like(icl)
    dims = ("seed", "time")
    return xr.Dataset({"acc_icl": (dims, icl), "cla": (dims, cla), "acc_iwl": (dims, 1 - icl)}, {"time": time})


def test_rise_finds_a_planted_logistic_in_binomial_noise():
    time = np.arange(0, 4001, 100.0)
    true = 0.5 + 0.5 / (1 + np.exp(-(time - 1500) / 100))
    noisy = np.random.default_rng(0).binomial(200, true) / 200
    half, duration = rise(_curves(true, noisy, np.full_like(time, 0.5), time=time))
    np.testing.assert_allclose(half[:2], 1500, atol=60)
    np.testing.assert_allclose(duration[0], 2 * np.log(9) * 100, rtol=0.02)
    np.testing.assert_allclose(duration[1], 2 * np.log(9) * 100, rtol=0.35)
    assert np.isnan(half[2])
    assert np.isnan(duration[2])
    ratio = duration_over_onset(_curves(true, time=time))
    assert ratio.dims == ("seed",)
    assert float(ratio[0]) == pytest.approx(0.293, abs=0.01)


def test_lesser_of_both_is_large_only_if_both_are():
    d = _curves(np.array([0.2, 0.5, 0.9]), time=np.arange(3.0))
    np.testing.assert_allclose(lesser_of_both(d)[0], [0.2, 0.5, 0.1])


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
