"""The study `mh-naming-game`: its draws against formulae and enumeration, its game against the exact posterior."""

from __future__ import annotations

from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import emergelab as el
from emergelab.instruments.communities import adjusted_rand
from emergelab.studies.languages.mh_naming_game import _measures as ms
from emergelab.studies.languages.mh_naming_game import _sampler as sp
from emergelab.studies.languages.mh_naming_game import study
from emergelab.studies.languages.mh_naming_game._claims import above_ideal, beyond_chance, imagined_better
from emergelab.studies.languages.mh_naming_game._conditions import BY_AMB
from emergelab.studies.languages.mh_naming_game._system import NamingGame, Pair, World, _named

SMALL = {"scenes": 40, "tests": 8}

# -- draws ------------------------------------------------------------------------------------------------------------


def test_options_are_chosen_in_proportion_to_their_weights():
    levels = (jnp.arange(1000) + 0.5) / 1000
    found = np.asarray(jax.jit(sp.chosen)(levels, jnp.tile(jnp.array([0.0, 3.0, 0.0, 1.0, 0.0]), (1000, 1))))
    assert np.bincount(found, minlength=5).tolist() == [0, 750, 0, 250, 0]
    logs = jnp.log(jnp.array([[1.0, 3.0]])) - 500.0
    assert np.asarray(sp.either(levels, jnp.tile(logs, (1000, 1)))).mean() == pytest.approx(0.75, abs=0.002)


@pytest.mark.parametrize("shape", [0.1, 1.0, 7.5])
def test_gamma_variates_have_the_gamma_distribution(shape):
    n = 20_000
    normal = jax.random.normal(jax.random.key(1), (sp.TRIES, n))
    chance = jax.random.uniform(jax.random.key(2), (sp.TRIES + 1, n))
    found = np.exp(np.asarray(jax.jit(sp.log_gamma)(normal, chance, jnp.full(n, shape)), float))
    assert stats.kstest(found, stats.gamma(shape).cdf).pvalue > 1e-3


def test_shares_have_the_mean_of_their_dirichlet():
    counts = jnp.tile(jnp.array([0.1, 2.1, 5.1]), (4000, 1))
    normal = jax.random.normal(jax.random.key(3), (sp.TRIES, counts.size))
    chance = jax.random.uniform(jax.random.key(4), (sp.TRIES + 1, counts.size))
    found = np.asarray(jax.jit(sp.dirichlet)(normal, chance, counts))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), np.array([0.1, 2.1, 5.1]) / 7.3, atol=0.01)


def test_groups_far_apart_are_found():
    random = np.random.default_rng(0)
    truth = np.arange(80) % 4
    x = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])[truth] + 0.3 * random.normal(size=(80, 2))
    kinds, means = jax.jit(sp.grouped)(jnp.array([0.3, 0.5, 0.1, 0.9]), jnp.asarray(x, jnp.float32))
    assert adjusted_rand(np.asarray(kinds), truth) == pytest.approx(1)
    for k in range(4):
        np.testing.assert_allclose(means[k], x[np.asarray(kinds) == k].mean(axis=0), atol=1e-4)


# -- messages ---------------------------------------------------------------------------------------------------------

WORDS, KINDS, M = 3, 2, 2


@pytest.fixture(scope="module")
def minds():
    """Tables of two agents, and what each takes one scene for."""
    random = np.random.default_rng(5)
    phi = random.dirichlet(np.ones(KINDS), size=(2, M, WORDS))
    psi = random.dirichlet(np.ones(M), size=(2, WORDS))
    return phi, psi, np.array([[0, 1], [1, 1]])


def _weight(phi, psi, kinds, message) -> float:
    """P(c | w) written out: a sum over orders of a product over slots."""
    return sum(
        np.prod([psi[w, m] * phi[m, w, kinds[m]] for w, m in zip(message, order, strict=True)])
        for order in permutations(range(M))
    )


MESSAGES = list(product(range(WORDS), repeat=M))


def _logs(phi, psi, kinds, scenes):
    return sp.weights_of_words(
        jnp.asarray(phi, jnp.float32), jnp.asarray(psi, jnp.float32), jnp.tile(jnp.asarray(kinds)[:, None], (1, scenes))
    )


def _counted(said) -> np.ndarray:
    code = np.asarray(said) @ np.array([WORDS, 1])
    return np.bincount(code, minlength=len(MESSAGES)) / len(code)


def test_a_message_is_weighed_as_the_sum_over_orders(minds):
    phi, psi, kinds = minds
    found = sp.weight(_logs(phi[0], psi[0], kinds[0], len(MESSAGES)), jnp.asarray(MESSAGES, jnp.int32))
    wanted = [np.log(_weight(phi[0], psi[0], kinds[0], m)) for m in MESSAGES]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_speakers_draw_messages_in_proportion_to_that_weight(minds):
    """What the acceptance by the listener's weights alone rests on."""
    phi, psi, kinds = minds
    n = 60_000
    logs = [_logs(phi[i], psi[i], kinds[i], n) for i in range(2)]
    chance = jax.random.uniform(jax.random.key(0), (n, M + 1))
    single = np.array([_weight(phi[0], psi[0], kinds[0], m) for m in MESSAGES])
    np.testing.assert_allclose(_counted(jax.jit(sp.spoken)(chance, logs[0])), single / single.sum(), atol=0.01)
    both = single * np.array([_weight(phi[1], psi[1], kinds[1], m) for m in MESSAGES])
    np.testing.assert_allclose(_counted(jax.jit(sp.spoken_by_both)(chance, *logs)), both / both.sum(), atol=0.01)


def test_modalities_are_placed_by_who_owns_the_words(minds):
    phi, psi, kinds = minds
    n, message = 20_000, (0, 2)
    found = np.asarray(sp.places((jnp.arange(n) + 0.5) / n, _logs(phi[0], psi[0], kinds[0], n),
                                 jnp.tile(jnp.array(message, jnp.int32), (n, 1))))  # fmt: skip
    straight = np.prod([psi[0, w, m] * phi[0, m, w, kinds[0, m]] for m, w in enumerate(message)])
    share = straight / _weight(phi[0], psi[0], kinds[0], message)
    assert (found == [0, 1]).all(axis=1).mean() == pytest.approx(share, abs=1e-3)
    assert ((found == [0, 1]).all(axis=1) | (found == [1, 0]).all(axis=1)).all()


def test_the_game_samples_the_joint_posterior(minds):
    """Tables fixed and refusals told: messages and both agents' categories against enumeration of all states."""
    _, psi, _ = minds
    kinds, words, n, rounds = 4, 3, 5000, 40
    random = np.random.default_rng(9)
    phi = random.dirichlet(np.ones(kinds), size=(2, M, words))
    means = random.normal(size=(2, M, kinds, 2))
    sense = random.normal(size=(2, M, 2))
    held = {k: jnp.asarray(v, jnp.float32) for k, v in {"phi": phi, "psi": psi, "means": means}.items()}
    edits = [el.Clamp(f"state.{k}", v) for k, v in held.items()]
    edits += [el.Clamp(f"{a}.{k}", held[k][i]) for i, a in enumerate("ab") for k in held]

    @jax.jit
    def play(system):
        seen = jnp.tile(jnp.asarray(sense, jnp.float32)[:, :, None], (1, 1, n, 1))
        none = jnp.zeros((M, n), jnp.int32)
        world, words_ = World(none, seen, none[:, :4], seen[:, :, :4]), jnp.zeros((2, n, M), jnp.int32)
        kinds_ = jnp.stack([none, none])
        state = Pair(world, kinds_, words_, held["means"], held["phi"], held["psi"], jnp.zeros(2))
        round_ = lambda t, s: system.step(s, jax.random.fold_in(jax.random.key(2), t))  # noqa: E731
        return jax.lax.fori_loop(0, rounds, round_, state)

    # P(w, c_a, c_b) is proportional to prod_i P(c_i | w) P(x_i | c_i).
    every = list(product(range(kinds), repeat=M))
    sight = -0.5 * ((sense[:, :, None] - means) ** 2).sum(axis=-1)
    agent = np.array([
        [[_weight(phi[i], psi[i], c, w) * np.exp(sum(sight[i, m, c[m]] for m in range(M))) for c in every]
         for w in MESSAGES] for i in range(2)
    ])  # fmt: skip
    wanted = np.einsum("wc,wd->wcd", *agent)
    wanted /= wanted.sum()
    for listening in ("mh", "central"):
        with el.edit(*edits):
            last = play(NamingGame(scenes=n, tests=4, words=words, memory="common", listening=listening))
        w = np.asarray(last.words[0]) @ np.array([words, 1])
        a, b = (np.asarray(last.kinds[i]).T @ np.array([kinds, 1]) for i in range(2))
        pairs = zip((w, a, b), (wanted.sum(axis=rest) for rest in ((1, 2), (0, 2), (0, 1))), strict=True)
        for found, marginal in pairs:
            np.testing.assert_allclose(np.bincount(found, minlength=len(marginal)) / n, marginal, atol=0.03)
        table = np.zeros((len(MESSAGES), len(every)))
        np.add.at(table, (w, b), 1 / n)
        assert np.abs(table - wanted.sum(axis=1)).sum() / 2 < 0.08


# -- learning ---------------------------------------------------------------------------------------------------------


def test_tables_and_means_are_drawn_from_their_posteriors():
    """Mean over draws: counts plus prior over their sum; sums over precisions."""
    about = jnp.array([[0, 1], [0, 2], [1, 1], [0, 1]], jnp.int32)  # scene modality
    kinds = jnp.array([[0, 0, 1, 1], [0, 1, 1, 1]], jnp.int32)
    cells, draws = WORDS * M * (KINDS + 1), 3000

    @jax.jit
    @jax.vmap
    def drawn(key):
        u, z = sp.drawn(key, (sp.TRIES + 1) * cells, sp.TRIES * cells)
        return sp.tables(z.reshape(-1, cells), u.reshape(-1, cells), about, kinds, WORDS, KINDS, jnp.float32(0.5))

    phi, psi = (np.asarray(x).mean(axis=0) for x in drawn(jax.random.split(jax.random.key(0), draws)))
    counts = np.full((M, WORDS, KINDS), 0.5)
    owner = np.full((WORDS, M), 0.5)
    for s in range(4):
        for m in range(M):
            counts[m, about[s, m], kinds[m, s]] += 1
            owner[about[s, m], m] += 1
    np.testing.assert_allclose(phi, counts / counts.sum(axis=-1, keepdims=True), atol=0.03)
    np.testing.assert_allclose(psi, owner / owner.sum(axis=-1, keepdims=True), atol=0.03)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(M, 4, 2)), jnp.float32)
    centre = np.asarray(sp.means_given(jnp.zeros((M, KINDS, 2)), x, kinds, jnp.float32(2.0)))
    off = np.asarray(sp.means_given(jnp.ones((M, KINDS, 2)), x, kinds, jnp.float32(2.0))) - centre
    inside = np.asarray(x)[1, np.asarray(kinds[1]) == 1]
    np.testing.assert_allclose(centre[1, 1], inside.sum(axis=0) / (3 + 0.25), rtol=1e-4)
    np.testing.assert_allclose(off[1, 1], 1 / np.sqrt(3 + 0.25), rtol=1e-4)


# -- scores -----------------------------------------------------------------------------------------------------------


def test_the_rand_index_is_the_usual_one():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(3)
    for _ in range(5):
        a, b = random.integers(0, 4, (2, 60))
        b = np.where(random.random(60) < 0.5, a, b)
        found = float(ms.rand_index(jnp.asarray(a, jnp.int32), jnp.asarray(b, jnp.int32), 4))
        assert found == pytest.approx(metrics.adjusted_rand_score(a, b), abs=1e-5)
        names = np.asarray(ms.matched(jnp.asarray(a, jnp.int32), jnp.asarray(b, jnp.int32), 4))
        table = metrics.cluster.contingency_matrix(a, b)
        best = max(sum(table[i, p[i]] for i in range(4)) for p in permutations(range(4)))
        assert sum(table[i, names[i]] for i in range(4)) == best


def test_agreement_knows_no_order_and_has_a_chance_level():
    a = jnp.array([[0, 1], [2, 2], [1, 3]], jnp.int32)
    b = jnp.array([[1, 0], [2, 3], [3, 1]], jnp.int32)
    same, chance = ms.agreement(a, b)
    assert float(same) == pytest.approx(2 / 3)
    assert float(chance) == pytest.approx(2 / 9)


def test_telling_with_a_perfect_code_and_without_one():
    """Words 0-3 are about the first modality, 4-7 about the second; a hearer with the same code understands all."""
    phi = np.full((2, 8, 4), 0.01)
    psi = np.full((8, 2), 0.01)
    for w in range(8):
        phi[w // 4, w, w % 4], psi[w, w // 4] = 0.97, 0.99
    phi, psi = jnp.asarray(phi, jnp.float32), jnp.asarray(psi, jnp.float32)
    kinds = jnp.asarray(list(product(range(4), repeat=2)), jnp.int32)
    said = ms.said_best(phi, psi, kinds)
    np.testing.assert_array_equal(said, kinds + jnp.array([0, 4]))
    assert float(_named(phi, psi)) == 8
    assert float(_named(phi.at[0, :, 1].set(phi[0, :, 0]), psi)) == 7  # two categories share a word
    heard = ms.understood(phi, psi, said[:, ::-1])  # order does not matter
    np.testing.assert_array_equal(heard, kinds)
    names = jnp.tile(jnp.array([1, 0, 2, 3], jnp.int32), (2, 1))
    means = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 2)), jnp.float32)
    true = means[:, jnp.array([1, 0, 2, 3])]
    exact = ms.told(heard, names, jnp.array([1, 0, 2, 3])[kinds].astype(jnp.int32), means, true)
    assert [float(x) for x in exact] == pytest.approx([1, 1, 0], abs=1e-6)
    half = ms.told(heard.at[:, 0].set(3), names, jnp.array([1, 0, 2, 3])[kinds].astype(jnp.int32), means, true)
    assert [float(half.whole), float(half.part)] == pytest.approx([0.25, 0.625])
    # Without ownership the order is a guess.
    guess = ms.understood(phi, jnp.full((8, 2), 0.5), said[:, ::-1])
    assert (np.asarray(guess) != np.asarray(kinds)).any()


# -- the game ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played():
    """Start and the state after one round, from one program for all settings that are traced."""

    def play(system, key):
        first = system.init(key)
        return first, system.step(first, jax.random.fold_in(key, 0))

    made = jax.jit(play)
    return lambda seed=0, **changes: made(NamingGame(**{**SMALL, **changes}), jax.random.key(seed))


def test_scenes_keep_out_what_is_tested(played):
    world = played()[0].world
    seen = {tuple(x) for x in np.asarray(world.truth).T}
    tested = {tuple(x) for x in np.asarray(world.novel).T}
    assert tested == {(k, (k - 1) % 4) for k in range(4)}
    assert not seen & tested


def test_confusable_means_are_as_far_apart_as_asked():
    for amb in (0.5, 2.0):
        means = np.asarray(NamingGame(amb=amb).layout())
        for agent, (i, j) in enumerate(((0, 1), (2, 3))):
            gaps = np.linalg.norm(means[agent][:, None] - means[agent][None], axis=-1)
            assert gaps[i, j] == pytest.approx(2 * amb, rel=1e-5)
            others = [gaps[p, q] for p in range(4) for q in range(p) if (q, p) != (i, j)]
            assert min(others) > 3.5


def test_what_is_accepted_is_taken_over_and_nothing_else(played):
    first, last = played(listening="constant", trust=0.0)
    np.testing.assert_array_equal(first.words, last.words)
    assert np.asarray(last.accepted).tolist() == [0, 0]
    _, last = played(listening="constant", trust=1.0)
    assert np.asarray(last.accepted).tolist() == [1, 1]
    assert (np.asarray(last.words) != np.asarray(first.words)).any(axis=(1, 2)).all()
    _, last = played(memory="common")
    np.testing.assert_array_equal(last.words[0], last.words[1])
    _, mh = played()
    assert (np.asarray(mh.words[0]) != np.asarray(mh.words[1])).any()
    assert (np.asarray(mh.accepted) < 1).all()


def test_one_mind_is_one(played):
    for state in played(listening="one-mind"):
        for name in ("kinds", "words", "phi", "psi"):
            np.testing.assert_array_equal(getattr(state, name)[0], getattr(state, name)[1])
        assert (np.asarray(state.means[0]) != np.asarray(state.means[1])).any()


def test_without_ownership_nobody_owns_a_word(played):
    for state in played(ownership="none"):
        np.testing.assert_array_equal(state.psi, np.full_like(state.psi, 0.5))


def test_a_deaf_agent_keeps_its_words(played):
    first, _ = played()
    system = NamingGame(**SMALL)
    with el.edit(*study.conditions["b-deaf"].interventions):
        last = jax.jit(lambda s: system.step(s, jax.random.key(0)))(first)
    np.testing.assert_array_equal(last.words[1], first.words[1])
    assert (np.asarray(last.words[0]) != np.asarray(first.words[0])).any()


def test_swapped_tables_are_swapped_before_the_round(played):
    """Agents that are refused everything show the swap alone: kinds of b by a's phi, then phi of its own."""
    first, _ = played()
    system = NamingGame(**SMALL)
    read = jax.jit(lambda s: el.tap(lambda s: system.step(s, jax.random.key(0)), "state.phi")(s)[1])
    with el.edit(*study.conditions["tables-swapped"].interventions, time=150):
        np.testing.assert_array_equal(read(first)["state.phi"], first.phi[::-1])


def test_sites():
    names = {s.name for s in el.sites(NamingGame(**SMALL))}
    here = {f"{a}.{n}" for a in "ab" for n in ("heard", "accept", "sight", "means", "phi", "psi")}
    assert here | {"state.words", "state.kinds", "state.phi"} <= names


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"categories": 7}, "'categories' must be"),
        ({"amb": -1.0}, "'amb' must be"),
        ({"listening": "never"}, "'listening' must be one of"),
        ({"trust": 1.5}, "'trust' must be"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        NamingGame(**{**SMALL, **wrong})


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("naming") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged_and_drawn(tiny):
    assert {v["verdict"] for v in study.judge(tiny)} <= {"inconclusive", "untested"}  # two seeds are too few
    assert not tiny.diverged
    assert {figure.name for figure, _ in study.draw(tiny)} >= {"rounds", "novel", "lexicon"}
    d = tiny.data.isel(time=-1)
    assert float(d.agreement.sel(condition="central").min()) == 1
    assert float(d.ari.sel(condition="one-mind").min()) > 0.8
    np.testing.assert_allclose(d.lexicon.sum("kind").sum("modality"), 1, atol=1e-4)
    assert float(abs(beyond_chance(d)).max()) <= 1 and np.isfinite(imagined_better(d)).all()
    np.testing.assert_allclose(above_ideal(d), d.ari - d.ideal_alone)


class _Whole:
    """A run with all conditions of the quick size, whose curves are those of the tiny run over and over."""

    def __init__(self, tiny: el.Run) -> None:
        names = list(study.sizes["quick"].conditions)
        some = [i % tiny.data.sizes["condition"] for i in range(len(names))]
        self.data = tiny.data.isel(condition=some).assign_coords(condition=names)


def test_every_figure_is_drawn_for_all_conditions_of_the_quick_size(tiny):
    for figure in study.figures:
        assert figure.draw(_Whole(tiny)).axes
    scene = study.view.scene(tiny, "mh", int(tiny.data.seed[0]), 20)
    assert scene.layers[0].values.shape == (8, 16)


def test_conditions_fit_their_sizes():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
    for way, named in BY_AMB.items():
        for name, amb in named.items():
            system = study.system(**study.conditions[name].set)
            assert float(system.amb) == pytest.approx(amb)
            assert way != "none" or int(system.listening) == 2
