"""mirage: the measured cases, planted ones, invariances, and inputs of every awkward kind."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.instruments import mirage
from emergelab.instruments._mirage_shape import emergence_score

SIZES = np.geomspace(1e7, 1e11, 16)


def planted(rng, p, length, items, seeds=5, sizes=SIZES):
    """Exact match of ``length`` tokens and the loss per token behind it."""
    loss = -np.log(p)[None] * np.exp(0.05 * rng.standard_normal((seeds, 1)))
    score = rng.binomial(items, np.exp(-loss) ** length) / items
    return xr.Dataset({"em": (("seed", "size"), score), "nll": (("seed", "size"), loss)}, coords={"size": sizes})


def power_law(exponent=-0.4, sizes=SIZES):
    return np.exp(-0.3 * (sizes / 1e9) ** exponent)


def breaks(width, sizes=SIZES):
    """A probability per token that goes from 0.05 to 0.95 with a 10-90% width in decades."""
    return 0.05 + 0.9 / (1 + np.exp(-np.clip((np.log10(sizes) - 9) * 4.4 / width, -60, 60)))


# ------------------------------------------------------------------------------------------ measured cases


@pytest.mark.parametrize("deduped", [False, True])
def test_lambada_is_a_mirage(pythia, deduped):
    result = mirage(pythia("lambada_openai", deduped=deduped), "acc", "ppl", stderr="stderr")
    assert result.verdict == "mirage"
    row = result.to_frame("companions").iloc[0]
    if not deduped:
        assert row["r2"] == pytest.approx(0.99991, abs=1e-5)
        assert row["largest"] == pytest.approx(0.018, abs=1e-3)
        # one size left out: 0.003 to 0.016
        assert row["rmse_low"] == pytest.approx(0.003, abs=5e-4)
        assert row["rmse_high"] == pytest.approx(0.016, abs=5e-4)
    tests = result.to_frame().set_index("test")["verdict"]
    assert tests["link"] == "explained" and tests["smoothness of the companion"] == "smooth"
    assert row["kind"] == "perplexity"


def test_half_of_the_fall_is_over_when_the_score_first_moves(pythia):
    z = np.log(pythia("lambada_openai")["ppl"])
    start, end = z.sel(time=0), z.min("time")
    by_512 = ((start - z.sel(time=512)) / (start - end)).values
    by_1000 = ((start - z.sel(time=1000)) / (start - end)).values
    assert by_512.min() >= 0.2 and by_512.max() <= 0.35 and by_1000.min() >= 0.48 and by_1000.max() <= 0.66


def test_wsc_is_undecided_with_a_warning(pythia):
    data = pythia("wsc")
    result = mirage(data, "acc")
    assert result.verdict == "undecided"
    assert any("values equal the label base rates" in w for w in result.warnings)
    data["made_up"] = -data["acc"]
    assert mirage(data, "acc", "made_up").verdict == "undecided"


def test_emergence_score_is_not_a_test(pythia):
    z = -np.log(pythia("lambada_openai")["ppl"].values)
    scores = emergence_score(z)
    assert scores.min() > 80 and scores.max() < 260  # a smooth quantity on the grid of training steps
    rng = np.random.default_rng(0)
    noise = emergence_score(rng.standard_normal((4000, 8)))
    assert np.median(np.abs(noise)) == pytest.approx(2.8, abs=0.3)
    assert np.quantile(np.abs(noise), 0.95) == pytest.approx(6.0, abs=0.7)
    assert np.isnan(emergence_score(np.array([0, 0, 0, 0, 0, 0, 1.0])))
    sweep = mirage(pythia("lambada_openai"), "acc", "ppl", stderr="stderr").to_frame("sweep")
    assert sweep["E_null_95"].notna().all()  # never without its null


# ----------------------------------------------------------------------------------------------- planted


@pytest.mark.parametrize("length", [1, 2, 5, 20])
@pytest.mark.parametrize("items", [20, 500, 10_000])
def test_smooth_probability_is_a_mirage_for_every_target_length(length, items):
    result = mirage(
        planted(np.random.default_rng(length), power_law(), length, items),
        "em",
        "nll",
        items=items,
        along="size",
    )
    assert result.verdict == "mirage"
    row = result.to_frame("companions").iloc[0]
    assert row["K"] == pytest.approx(length, rel=0.3 if items == 20 else 0.05)
    if items == 10_000:
        assert row["K_low"] <= length * 1.02 and row["K_high"] >= length * 0.98


@pytest.mark.parametrize("length", [1, 5, 20])
@pytest.mark.parametrize("width", [0.1, 0.3])
def test_breaking_probability_is_genuine(length, width):
    data = planted(np.random.default_rng(1), breaks(width), length, 1000)
    result = mirage(data, "em", "nll", items=1000, along="size")
    assert result.verdict == "genuine"
    assert result.to_frame().set_index("test").loc["smoothness of the companion", "verdict"] == "break"


def test_a_steep_probability_without_a_floor_shows_on_its_own_scale():
    p = 1 / (1 + np.exp(-(np.log10(SIZES) - 9) / 0.05))
    loss = -np.log(np.clip(p, 1e-12, 1 - 1e-12))
    data = planted(np.random.default_rng(2), np.exp(-loss), 1, 1000)
    result = mirage(data, "em", "nll", items=1000, along="size")
    assert result.verdict == "genuine"


def test_a_smooth_companion_that_does_not_explain_the_jump_is_genuine():
    rng = np.random.default_rng(3)
    jump = breaks(0.2)
    data = planted(rng, power_law(), 1, 1000)
    data["em"] = (("seed", "size"), rng.binomial(1000, np.tile(jump, (5, 1))) / 1000)
    # every curve reaches the same loss at other sizes, so no one function of the loss gives the jump
    shift = np.exp(0.5 * np.arange(5))[:, None]
    data["nll"] = (("seed", "size"), -np.log(power_law())[None] * shift)
    result = mirage(data, "em", "nll", items=1000, along="size")
    assert result.to_frame().set_index("test").loc["link", "verdict"] == "not explained"
    assert result.verdict in ("genuine", "undecided")
    clean = xr.Dataset(
        {
            "em": (("seed", "size"), np.tile(jump, (6, 1))),
            "nll": (("seed", "size"), np.tile(1.0 + 0.02 * np.abs(np.log10(SIZES) - 9), (6, 1))),
        },
        coords={"size": SIZES},
    )
    assert mirage(clean, "em", "nll", stderr=0.01, along="size").verdict == "genuine"


def test_floor_depends_on_the_number_of_items():
    p = np.exp(-0.3 * (SIZES / 1e8) ** -0.25)
    few = mirage(planted(np.random.default_rng(4), p, 20, 20), "em", "nll", items=20, along="size")
    many = mirage(planted(np.random.default_rng(4), p, 20, 10_000), "em", "nll", items=10_000, along="size")
    assert few.to_frame().set_index("test").loc["resolution", "verdict"] == "floor"
    assert many.to_frame().set_index("test").loc["resolution", "verdict"] in ("no zeros", "no floor")


def test_floor_alone_is_its_own_verdict():
    rng = np.random.default_rng(5)
    p = np.exp(-0.3 * (SIZES / 1e8) ** -0.25)
    data = planted(rng, p, 20, 20)
    # a score that is also blurred from curve to curve is not explained, but its zeros are still a floor
    blurred = data["em"] * (1 + 0.9 * np.where(np.arange(5) % 2, 1, -1)[:, None])
    data["em"] = blurred.clip(0, 1).transpose(*data["em"].dims)
    result = mirage(data, "em", "nll", items=20, along="size", target_length=20)
    assert result.verdict in ("floor", "genuine", "mirage")
    assert result.to_frame().set_index("test").loc["resolution", "verdict"] == "floor"


def test_the_best_of_several_companions_is_judged():
    rng = np.random.default_rng(6)
    data = planted(rng, power_law(), 5, 1000)
    data["noise"] = (("seed", "size"), rng.standard_normal((5, 16)))
    result = mirage(data, "em", ["noise", "nll"], items=1000, along="size")
    assert result.params["companion"] == ["noise", "nll"] and result.verdict == "mirage"
    table = result.to_frame("companions").set_index("companion")
    assert table.loc["noise", "link"] == "not explained" and table.loc["nll", "link"] == "explained"


def test_one_curve_is_judged_on_records_left_out():
    data = planted(np.random.default_rng(7), power_law(), 5, 2000, seeds=1).isel(seed=0)
    result = mirage(data, "em", "nll", items=2000, along="size")
    assert result.verdict == "mirage" and result.n_seeds == 1
    assert any("within one run" in w for w in result.warnings)


def test_kinds_of_companion_lead_to_the_same_length():
    data = planted(np.random.default_rng(8), power_law(), 5, 5000)
    data["ppl"] = np.exp(data["nll"])
    data["logprob"] = -data["nll"]
    data["token_prob"] = np.exp(-data["nll"])
    found = [
        mirage(data, "em", name, items=5000, along="size").to_frame("companions").iloc[0]
        for name in ("nll", "ppl", "logprob", "token_prob")
    ]
    assert [row["kind"] for row in found] == ["nll", "perplexity", "log-probability", "probability"]
    assert [row["K"] for row in found] == pytest.approx([5.0] * 4, rel=0.02)


def test_sweep_from_item_level_outputs():
    rng = np.random.default_rng(9)
    p = power_law()
    tokens = (rng.random((5, 16, 200, 5)) < p[None, :, None, None]).astype(float)
    data = planted(rng, p, 5, 200)
    data["em"] = (("seed", "size"), tokens.prod(axis=-1).mean(axis=-1))
    data["tokens"] = (("seed", "size", "item", "token"), tokens)
    sweep = mirage(data, "em", "nll", items=200, along="size", tokens="tokens").to_frame("sweep").set_index("metric")
    assert {"exact match", "edit distance", "Brier", "at least half right"} <= set(sweep.index)
    assert sweep.loc["exact match", "W_decades"] == pytest.approx(sweep.loc["em", "W_decades"])
    soft = mirage(data, "em", "nll", along="size", tokens=data["tokens"] * 0.9 + 0.05).to_frame("sweep")
    assert "log-probability" in set(soft["metric"])
    with pytest.raises(UserError, match="lacks the dims"):
        mirage(data, "em", "nll", along="size", tokens="nll")


# --------------------------------------------------------------------------------------------- invariances


@pytest.mark.parametrize("p", [power_law(), breaks(0.3)], ids=["smooth", "break"])
def test_invariances(p):
    data = planted(np.random.default_rng(10), p, 5, 1000)
    call = {"items": 1000, "along": "size"}
    verdict = mirage(data, "em", "nll", **call).verdict
    assert mirage(data.assign_coords(size=data["size"] * 1e-6), "em", "nll", **call).verdict == verdict
    assert mirage(data.isel(seed=slice(None, None, -1)), "em", "nll", **call).verdict == verdict
    assert mirage(data.isel(size=slice(None, None, -1)), "em", "nll", **call).verdict == verdict
    scaled = data.assign(em=100 * data["em"])
    error = 100 * np.sqrt(data["em"] * (1 - data["em"]) / 1000)
    assert mirage(scaled, "em", "nll", stderr=error, margin=2.0, along="size").verdict == verdict
    fine = np.geomspace(1e7, 1e11, 31)
    dense = planted(np.random.default_rng(11), np.interp(np.log(fine), np.log(SIZES), p), 5, 1000, sizes=fine)
    assert mirage(dense.isel(size=slice(None, None, 2)), "em", "nll", **call).verdict == verdict


# -------------------------------------------------------------------------------------- degenerate inputs


def test_too_few_sizes_or_nothing_to_explain_is_undecided():
    rng = np.random.default_rng(12)
    data = planted(rng, power_law(), 5, 1000)
    few = mirage(data.isel(size=slice(0, 5)), "em", "nll", items=1000, along="size")
    assert few.verdict == "undecided" and "6 are needed" in few.explain()
    flat = data.assign(em=data["em"] * 0 + 0.5)
    assert "does not change" in mirage(flat, "em", "nll", along="size").explain()
    alone = mirage(data, "em", items=1000, along="size")
    assert alone.verdict == "undecided" and "companion" in alone.explain() and alone.plot() is not None


cells = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf, 1e300, 1e-300]))
calls = st.sampled_from(
    [
        {},
        {"stderr": 0.1},
        {"kind": "nll", "target_length": 3.0},
        {"kind": "perplexity"},
        {"kind": "log-probability"},
        {"kind": "probability", "chance": 0.25},
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 6), st.integers(1, 12), calls)
def test_every_input_gets_a_defined_answer(draw, seeds, steps, call):
    def block():
        return np.array([draw.draw(st.lists(cells, min_size=steps, max_size=steps)) for _ in range(seeds)])

    x = np.array(draw.draw(st.lists(st.integers(-2, 40), min_size=steps, max_size=steps, unique=True)), dtype=float)
    data = xr.Dataset({"y": (("seed", "time"), block()), "z": (("seed", "time"), block())}, coords={"time": x})
    result = mirage(data, "y", "z", draws=99, **call)
    assert result.verdict in ("mirage", "floor", "genuine", "undecided")
    assert json.loads(result.to_json()) and len(result.explain()) > 100
    for table in result.tables.values():
        assert not np.isinf(table.select_dtypes("number").to_numpy(dtype=float)).any()


def test_a_single_common_record_is_undecided():
    """A score and a companion that were never measured together but once; nothing can predict that record."""
    y, z = np.full((1, 9), np.nan), np.full((1, 9), np.nan)
    y[0, [0, 1, 2, 3, 5, 7, 8]], z[0, [0, 4, 6]] = [0, 0, 0, 0, 0, 0, 1], 0.0
    data = xr.Dataset({"y": (("seed", "time"), y), "z": (("seed", "time"), z)}, coords={"time": np.arange(9.0)})
    result = mirage(data, "y", "z", draws=99)
    assert result.verdict == "undecided"
    assert json.loads(result.to_json()) and len(result.explain()) > 100


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: mirage(d, "em", "nl", along="size"), "did you mean 'nll'"),
        (lambda d: mirage(d, "em", "em", along="size"), "own companion"),
        (lambda d: mirage(d, "nll", "em", along="size", items=10), r"\[0, 1\]"),
        (lambda d: mirage(d, "em", "nll", along="size", margin=0.0), "above 0"),
        (lambda d: mirage(d, "em", "nll", along="size", target_length=-1.0), "target_length"),
        (lambda d: mirage(d, "em", "nll", along="size", chance=1.0), "chance"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = planted(np.random.default_rng(13), power_law(), 5, 1000)
    data["nll"] = data["nll"] + 2
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)


def test_figure_is_drawn():
    from emergelab import figures

    data = planted(np.random.default_rng(14), power_law(), 5, 1000)
    assert len(figures.png(mirage(data, "em", "nll", items=1000, along="size").plot())) > 20_000
