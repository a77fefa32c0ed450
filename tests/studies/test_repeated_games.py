"""Repeated 2x2 games: the map of games, every player against a plain second version, interventions, the study."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.games import matrix
from emergelab.games.donor import key_of
from emergelab.games.matrix_players import PLAYERS, View, foresee, memory_one, recall
from emergelab.studies.societies.repeated_games import RepeatedGames, study
from emergelab.studies.societies.repeated_games import _evolution as evolution
from emergelab.studies.societies.repeated_games import _matches as matches
from emergelab.studies.societies.repeated_games import _measures as measures

from . import matrix_oracle as oracle

ROUNDS = 10

# -- the games --------------------------------------------------------------------------------------------------------


def test_the_map_holds_every_ordinal_game_once() -> None:
    found = [oracle.least(g[..., 0].ravel().tolist(), g[..., 1].ravel().tolist()) for g in matrix.ORDINAL]
    assert len(set(found)) == len(found) == 144
    assert set(found) == oracle.all_ordinal_games()
    rows = matrix.patterns()
    for a, b in zip(rows, np.roll(rows, -1, axis=0), strict=True):
        changed = np.argwhere(a != b)
        assert len(changed) == 2 and abs(int(a[tuple(changed[0])]) - int(b[tuple(changed[0])])) == 1


def test_exchanging_the_players_mirrors_the_map() -> None:
    games = matrix.ordinal_games()
    for r in range(12):
        for c in range(12):
            mirrored = games[11 - c, 11 - r]
            np.testing.assert_array_equal(games[r, c][..., 0], mirrored[..., 1].T)
    for row, column in matrix.NAMED.values():
        assert row + column == 11


def test_families_follow_from_the_best_equilibrium() -> None:
    assert Counter(matrix.FAMILY) == {
        "Biased": 44, "Win-win": 36, "Unfair": 19, "Cyclic": 18, "Second Best": 12, "Tragic": 8, "PD Family": 7,
    }  # fmt: skip
    for game, family in zip(matrix.ORDINAL, matrix.FAMILY, strict=True):
        stable = [
            (r, c)
            for r in (0, 1)
            for c in (0, 1)
            if max(game[:, c, 0]) == game[r, c, 0] and max(game[r, :, 1]) == game[r, c, 1]
        ]
        assert stable == matrix.equilibria(game)
        if not stable:
            assert family == "Cyclic"
            continue
        most = max(game[cell].sum() for cell in stable)
        # where several equilibria have the largest sum, they pay the same two ranks
        pays = {tuple(sorted(game[cell].tolist())) for cell in stable if game[cell].sum() == most}
        assert len(pays) == 1
        better = any((game[r, c] > game[stable[0]]).all() for r in (0, 1) for c in (0, 1))
        assert (family == "PD Family") == (better and max(pays) <= (2, 3) and most < 6)


def test_named_games_are_what_they_are_called() -> None:
    def own(name: str) -> list[list[int]]:
        return matrix.ORDINAL[matrix.place_of(name)][..., 0].tolist()

    assert own("Prisoner's Dilemma") == [[3, 1], [4, 2]]
    assert own("Stag Hunt") == [[4, 1], [3, 2]]
    assert own("Chicken") == [[3, 2], [4, 1]]
    assert matrix.equilibria(matrix.BATTLE) == [(0, 0), (1, 1)]
    assert matrix.equilibria(matrix.DILEMMA) == [(1, 1)]
    for stakes in matrix.STAKES.values():
        assert matrix.equilibria(matrix.battle(*stakes)) == [(0, 0), (1, 1)]
    with pytest.raises(el.UserError, match="must be the ranks 1 to 4"):
        matrix.family_of(matrix.DILEMMA)


# -- the players ------------------------------------------------------------------------------------------------------


@jax.jit
def _all_moves(own: Any, other: Any, mine: Any, theirs: Any, played: Any, draw: Any) -> Any:
    def one(own: Any, other: Any, mine: Any, theirs: Any, played: Any, draw: Any) -> Any:
        view, past = View(own, other), recall(mine, theirs, played)
        theta = jnp.asarray([0.9, 0.8, 0.3, 0.6, 0.1])
        moves = [player(view, past, draw) for player in PLAYERS.values()]
        return jnp.stack([*moves, foresee(view, past), memory_one(theta, view, past, draw)])

    return jax.vmap(one)(own, other, mine, theirs, played, draw)


def _situations(n: int = 600) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    games = np.concatenate([matrix.ORDINAL, matrix.DILEMMA[None], matrix.BATTLE[None]]).astype(np.float32)
    games = games[rng.integers(len(games), size=n)]
    played = rng.integers(0, ROUNDS + 1, n).astype(np.int32)
    histories = rng.integers(0, 2, (2, n, ROUNDS)) * (np.arange(ROUNDS) < played[:, None])
    mine, theirs = histories.astype(np.int32)
    return games[..., 0], games[..., 1], mine, theirs, played, rng.random(n).astype(np.float32)


def test_every_player_moves_as_its_description_says() -> None:
    situation = _situations()
    found = np.asarray(_all_moves(*situation))
    for i, (own, other, mine, theirs, played, draw) in enumerate(zip(*situation, strict=True)):
        known = own.tolist(), other.tolist(), mine[:played].tolist(), theirs[:played].tolist()
        meant = [oracle.decide(name, *known, float(draw)) for name in PLAYERS]
        meant += [oracle.expected(known[0], known[1], known[3])]
        meant += [oracle.memory_one([0.9, 0.8, 0.3, 0.6, 0.1], *known, float(draw))]
        assert found[i].tolist() == meant, (i, dict(zip(PLAYERS, found[i].tolist(), strict=False)))


LABELLED = {"first", "second", "alternate", "alternate-second"}
BY_CHANCE = {"prober-10", "prober-20", "generous"}


def test_names_of_moves_mean_nothing_to_those_who_do_not_go_by_them() -> None:
    own, other, mine, theirs, played, draw = _situations()
    here = np.arange(ROUNDS) < played[:, None]
    flipped = own[:, ::-1, ::-1], other[:, ::-1, ::-1], (1 - mine) * here, (1 - theirs) * here, played
    tied = np.asarray(_all_moves(*flipped, 1 - draw - 1e-6))
    same_draw = np.asarray(_all_moves(*flipped, draw))
    before = np.asarray(_all_moves(own, other, mine, theirs, played, draw))
    for k, name in enumerate(PLAYERS):
        if name not in LABELLED:
            after = same_draw if name in BY_CHANCE else tied
            np.testing.assert_array_equal(before[:, k], 1 - after[:, k], err_msg=name)


INVARIANT = ("random", "level-1", "level-2", "maximin", "maximax", "best-response", "fictitious", "win-stay", "predict")


@settings(max_examples=20)
@given(a=st.floats(0.25, 4), b=st.floats(-10, 10), c=st.floats(0.25, 4), d=st.floats(-10, 10))
def test_units_of_payoffs_mean_nothing_to_those_who_do_not_add_them_up(a: float, b: float, c: float, d: float) -> None:
    own, other, *rest = _situations()
    before = np.asarray(_all_moves(own, other, *rest))
    after = np.asarray(_all_moves(np.float32(a) * own + np.float32(b), np.float32(c) * other + np.float32(d), *rest))
    for k, name in enumerate(PLAYERS):
        if name in INVARIANT:
            np.testing.assert_array_equal(before[:, k], after[:, k], err_msg=name)


def test_matches_worked_by_hand() -> None:
    c, d = 0, 1
    assert oracle.play(matrix.DILEMMA, "tit-for-tat", "suspicious", 4) == ([c, d, c, d], [d, c, d, c])
    assert oracle.play(matrix.DILEMMA, "grim", "false-defector", 4) == ([c, d, d, d], [d, c, c, c])
    assert oracle.play(matrix.DILEMMA, "hard", "false-defector", 6) == ([c, d, d, d, c, c], [d, c, c, c, c, c])
    assert oracle.play(matrix.DILEMMA, "two-tats", "never", 4) == ([c, c, d, d], [d, d, d, d])
    assert oracle.play(matrix.DILEMMA, "tit-for-tat", "reverse", 5) == ([c, d, d, c, c], [d, d, c, c, d])
    # the battle: j is the player's favourite
    j, f = 0, 1
    insists, alternates = oracle.play(matrix.BATTLE, "maximax", "alternate", 10)
    assert insists == [j] * 10 and alternates == [j, f] * 5
    predicts, _ = oracle.play(matrix.BATTLE, "predict", "alternate", 10)
    assert predicts == [f, j, f, f, j, f, j, f, j, f]  # right in 7 of 10
    one, two = oracle.play(matrix.BATTLE, "predict", "predict", 10)
    assert all(a != b for a, b in zip(one, two, strict=True))


# -- what a history shows ---------------------------------------------------------------------------------------------


def test_signatures_by_hand() -> None:
    mine = np.array([[0, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0]])
    theirs = np.array([[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
    provoked, clean = jax.jit(matrix.defects_after)(mine, theirs, 5)
    # old defection, then cooperation: rounds 3 and 4 (1 and 0), not the fifth, which follows a defection
    assert float(provoked[0]) == pytest.approx(0.5)
    assert float(clean[0]) == 0.0 and float(clean[1]) == 0.0 and np.isnan(provoked[1])
    alternating = jax.jit(matrix.alternating)
    changes = alternating(mine, theirs, 5)
    assert np.asarray(changes).tolist() == [pytest.approx(3 / 4), 0.0]
    assert np.isnan(alternating(mine, theirs, 1)).all()


def test_what_is_remembered() -> None:
    remember = jax.jit(recall)
    past = remember(np.array([0, 1, 1, 0, 9]), np.array([1, 1, 0, 1, 9]), 4)
    assert (int(past.mine), int(past.theirs), np.asarray(past.recent).tolist()) == (0, 1, [1, 0, 1])
    assert np.asarray(past.counts).tolist() == [1, 3]
    assert np.asarray(past.turns).tolist() == [[0, 1], [1, 1]]
    nothing = remember(np.array([7, 7, 7, 7, 7]), np.array([7, 7, 7, 7, 7]), 0)
    assert np.asarray(nothing.recent).tolist() == [-1, -1, -1] and np.asarray(nothing.counts).tolist() == [0, 0]


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("repeated") / "run", progress=False)


STEPS = 4


@pytest.fixture(scope="module")
def chance() -> Any:
    """What the engine draws for seed 1: names, maps of payoffs, uniform numbers, orders of remembered rounds."""
    state = jax.jit(lambda key: RepeatedGames().init(key))(key_of(1))
    draws, orders = [], []
    for t in range(STEPS):
        evenly, order = jax.random.split(key_of(1, t))
        draws.append(np.asarray(jax.random.uniform(evenly, (5, matches.MATCHES))))
        u = np.asarray(jax.random.uniform(order, (ROUNDS,)))
        orders.append(np.argsort(u[:t], kind="stable").tolist())
    return np.asarray(state.flip), np.asarray(state.scale), np.stack(draws), orders


CHECKED = (
    "fictitious", "predict", "win-stay", "generous", "level-1", "grim", "first", "predict-noise", "predict-truth",
    "predict-heed-0.5", "fictitious-rescaled", "social-rescaled", "level-2-blind", "win-stay-scrambled", "first-fixed",
    "generous-noise", "hard-hurt",
)  # fmt: skip


@pytest.mark.parametrize("condition", CHECKED)
def test_all_matches_equal_the_plain_version(tiny: Any, chance: Any, condition: str) -> None:
    setting = study.conditions[condition].set
    mine, theirs, worth = _played(chance, setting, hurt=condition.endswith("hurt"))
    seen = tiny.data.sel(condition=condition, seed=1, time=STEPS).load()
    got = worth[np.arange(len(worth))[:, None], mine, theirs].mean(axis=1) / worth.max(axis=(1, 2))
    close: dict[str, Any] = {"rtol": 0, "atol": 2e-6}
    pool = got[matches.ORDINALS].reshape(9, 144)
    np.testing.assert_allclose(seen["map_score"].values.ravel(), pool.mean(axis=0), **close)
    np.testing.assert_allclose(seen["pool_score"].values, pool.mean(axis=1), **close)
    np.testing.assert_allclose(seen["score"], pool.mean(), **close)
    family = [pool[:, [f == name for f in matrix.FAMILY]].mean() for name in matrix.FAMILIES]
    np.testing.assert_allclose(seen["family_score"].values, family, **close)
    np.testing.assert_allclose(seen["dilemma_score"].values, got[matches.DILEMMAS], **close)
    np.testing.assert_allclose(seen["battle_score"].values, got[matches.BATTLES], **close)
    d = mine[matches.DILEMMAS], theirs[matches.DILEMMAS]
    np.testing.assert_allclose(seen["defection"].values, (d[0] == 1).mean(axis=1), **close)
    np.testing.assert_allclose(seen["mutual"].values, ((d[0] == 0) & (d[1] == 0)).mean(axis=1), **close)
    b = mine[matches.BATTLES], theirs[matches.BATTLES]
    np.testing.assert_allclose(seen["coordination"].values, (b[0] == b[1]).mean(axis=1), **close)


def _played(chance: Any, setting: Any, hurt: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moves of both sides in all matches [match, round], and what they are worth to the player [match, 2, 2]."""
    flip, scale, draws, orders = chance
    mine = np.zeros((matches.MATCHES, STEPS), int)
    theirs, worth = mine.copy(), np.zeros((matches.MATCHES, 2, 2))
    opponents = [name for name, start, stop in matches.SEATS for _ in range(start, stop)]
    for m, (opponent, game) in enumerate(zip(opponents, matches.GAMES, strict=True)):
        names = (False, False) if setting.get("labels") == "fixed" else flip[m]
        game = game[::-1] if names[0] else game
        game = game[:, ::-1] if names[1] else game
        (own, other), their_view = oracle.sides(game)
        worth[m] = own
        if setting.get("payoffs") == "rescaled":
            own, other = (
                (np.float32(a) * np.float32(x) + np.float32(b)).tolist()
                for x, (a, b) in zip((own, other), scale, strict=True)
            )
        if setting.get("knows") == "own":
            other = [[0.0, 0.0], [0.0, 0.0]]
        for t in range(STEPS):
            u = [float(x) for x in draws[t, :, m]]
            past, answer = mine[m, :t].tolist(), theirs[m, :t].tolist()
            theirs[m, t] = 1 if hurt and t == 3 else oracle.decide(opponent, *their_view, answer, past, u[0])
            if setting.get("history") == "scrambled":
                past, answer = [past[i] for i in orders[t]], [answer[i] for i in orders[t]]
            move = oracle.decide(setting["player"], own, other, past, answer, u[2])
            if setting["player"] == "predict":
                predicted = {"truth": int(theirs[m, t]), "noise": int(u[1] >= 0.5)}.get(
                    setting.get("source", ""), oracle.expected(own, other, answer)
                )
                move = oracle.against(own, predicted, u[2])
                if u[3] >= setting.get("heed", 1.0):
                    move = oracle.decide("maximax", own, other, past, answer, u[2])
            mine[m, t] = 1 - move if u[4] < setting.get("noise", 0.0) else move
    return mine, theirs, worth


def test_conditions_share_their_random_numbers(tiny: Any) -> None:
    d = tiny.data.isel(time=-1).load()
    same = d.sel(condition=["predict-heed-0", "maximax"])
    for name in ("score", "battle_score", "defection"):
        np.testing.assert_array_equal(same[name][0], same[name][1])
    for name in ("score", "map_score"):  # who counts needs no order, and no unit
        a, b, c = d[name].sel(condition=["fictitious", "fictitious-scrambled", "fictitious-rescaled"])
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert not tiny.diverged


def test_one_forced_defection_comes_once(tiny: Any) -> None:
    hurt, plain = (tiny.data.sel(condition=c).load() for c in ("grim-hurt", "grim"))
    place = matches.RIVALS.index("social")
    assert (hurt["mutual"].isel(rival=place).sel(time=2) == 1).all()
    assert (hurt["mutual"].isel(rival=place).sel(time=4) == 0.75).all()
    assert (plain["mutual"].isel(rival=place).sel(time=4) == 1).all()


def test_after_the_last_round_nothing_changes() -> None:
    system = RepeatedGames(rounds=2)
    shapes = jax.eval_shape(lambda key: system.init(key), key_of(0))
    state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    ones = jnp.ones(matches.MATCHES, jnp.int32)
    for played in (1, 2, 2):
        state = system._after(state, ones, ones, ones)
        assert int(state.played) == played
    assert state.mine.shape == (matches.MATCHES, 2) and (np.asarray(state.hits) == 2).all()


def test_fitness_is_the_mean_score_against_the_pool() -> None:
    rng = np.random.default_rng(5)
    games = np.tile(matrix.ORDINAL[[3, 78]], (9, 1, 1, 1)).astype(np.float32)
    draws = rng.random((5, 2, 18)).astype(np.float32)
    theta = [0.7, 0.9, 0.2, 0.5, 0.3]
    found = float(jax.jit(evolution.fitness)(jnp.asarray(theta), jnp.asarray(games), jnp.asarray(draws)))
    scores = []
    for m, game in enumerate(games):
        own, other = oracle.sides(game)
        mine: list[int] = []
        theirs: list[int] = []
        for t in range(5):
            a = oracle.memory_one(theta, *own, mine, theirs, float(draws[t, 1, m]))
            b = oracle.decide(matches.POOL[m // 2], *other, theirs, mine, float(draws[t, 0, m]))
            mine.append(a)
            theirs.append(b)
        scores.append(np.mean([own[0][a][b] for a, b in zip(mine, theirs, strict=True)]) / 4)
    assert found == pytest.approx(np.mean(scores), abs=1e-6)


def test_evolution_climbs_and_trains_on_half_of_the_games(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolution, "fitness", lambda theta, games, chance: theta[0] - theta[4])
    theta, trained = jax.jit(evolution.evolved, static_argnums=(1, 2))(jax.random.key(0), 40, 2)
    assert int(trained.sum()) == 72
    assert theta[0] > 0.95 and theta[4] < 0.05


def test_measures_on_numbers_made_by_hand(tiny: Any) -> None:
    one = tiny.data.sel(condition="fictitious").isel(time=-1).load()
    models = [measures.MODELS[name] for name in matrix.FAMILIES]
    meant = [np.corrcoef(row, models)[0, 1] for row in one["family_score"].transpose("seed", "family").values]
    np.testing.assert_allclose(measures.profile_of_models(one).values, meant, atol=1e-5)
    assert sum(n * matrix.FAMILY.count(f) for f, n in measures.MODELS.items()) / 144 == pytest.approx(0.745, abs=0.001)
    assert (measures.in_trained_games(one) == 0).all()


def test_sites_and_bad_input() -> None:
    names = {s.name for s in el.sites(RepeatedGames())}
    assert {"theirs", "prediction", "mine", "state.memory", "state.flip"} <= names
    with pytest.raises(el.UserError, match="'player' must be one of 'random'"):
        RepeatedGames(player="tit")
    with pytest.raises(el.UserError, match=r"'memory' must be an array of shape \(5,\)"):
        RepeatedGames(memory=(1.0, 0.0))
    with pytest.raises(el.UserError, match=r"'noise' must be a number in \[0, 1\], got 2"):
        RepeatedGames(noise=2)


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS", 1000)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    untested = [v for v in verdicts if v["verdict"] == "untested"]
    assert all("evolved" in v["reason"] for v in untested)
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]
