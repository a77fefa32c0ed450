"""Every society that asks a model has its null: the model's own decisions, dealt out to other situations."""

import zlib
from collections import Counter

import numpy as np
import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.lm import Ask, Choice, Dealer, Ledger, Scripted
from emergelab.lm.base import ModelError, Request

SOCIETIES = {
    "donor-game-lm": ("model-plain",),
    "repeated-games-lm": ("model", "model-predict"),
    "smallville-lm": ("model-plain",),
    "utilities-lm": ("model",),
}


def taste(request, option):
    """A model that answers to what it is asked, as letters of the question have it."""
    return -(zlib.crc32(f"{request.content()}{option}".encode()) % 1000) / 200


@pytest.fixture(scope="module", params=SOCIETIES)
def recorded(request, tmp_path_factory):
    slug = request.param
    keys = {"conditions": list(SOCIETIES[slug]), "seeds": 2, "progress": False}
    folder = tmp_path_factory.mktemp("shuffled")
    lm = Scripted(lambda r: "Good day.", taste)
    return slug, keys, el.find(slug).run("tiny", out=folder / "run", lm=lm, **keys), folder


def places(ledger):
    """How often each place among the options was taken, by template: names of options may change."""
    taken = {}
    for d in ledger.decisions:
        if d["probabilities"]:
            names = [str(o) for o in d["probabilities"]]
            said = d["value"] if isinstance(d["value"], str) else f"{d['value']:g}"
            at = names.index(said)
            taken.setdefault((d["condition"], d["template"], len(names)), Counter())[at] += 1
    return taken


def test_each_society_plays_under_its_null(recorded):
    """No model is asked, every decision is one of the record's, and the same null comes out again."""
    slug, keys, run, folder = recorded
    null = el.find(slug).run("tiny", out=folder / "null", lm=Dealer(run), **keys)
    again = el.find(slug).run("tiny", out=folder / "again", lm=el.lm.open_lm(f"shuffled:{run.path}"), **keys)
    ledger = Ledger(null)
    assert not ledger.calls and ledger.decisions
    assert {d["origin"] for d in ledger.decisions} <= {"policy"}
    assert ledger.digests == Ledger(again).digests
    on_record = places(Ledger(run))
    assert on_record
    for key, taken in places(ledger).items():
        assert set(taken) <= set(on_record[key]), (slug, key)


def test_what_is_not_on_record_is_not_made_up(recorded):
    _, _, run, _ = recorded
    dealer = Dealer(run)
    with pytest.raises(UserError, match="no decision of condition 'nobody'"):
        dealer.deal(Ask("Bo", Choice(("a", "b")), "a"), "nobody", np.random.default_rng(0))
    with pytest.raises(ModelError, match="only decisions can be dealt"):
        dealer.complete([Request("Hello")])
    with pytest.raises(ModelError, match="only decisions can be dealt"):
        dealer.score([Request("Hello")], [("a", "b")])


def test_a_record_without_a_model_has_nothing_to_deal(tmp_path):
    run = el.find("donor-game-lm").run("tiny", out=tmp_path / "r", conditions=["all-C"], seeds=1, progress=False)
    with pytest.raises(UserError, match="no decisions of a model on record"):
        Dealer(run)
