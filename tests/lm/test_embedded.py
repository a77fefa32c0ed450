"""The embedded model against transformers, and its laws: an answer depends on its request alone, a site is a site."""

import copy
import importlib.util
import json
import pickle
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab import assets, cli
from emergelab.errors import SiteError, UserError
from emergelab.lm import _passes as passes
from emergelab.lm import embedded
from emergelab.lm._passes import bucket
from emergelab.lm.base import Address, ModelError, Request, Turn
from emergelab.lm.embedded import open_embedded, sites

from .texts import PROMPTS, long_prompt

GAME = PROMPTS["game"]
SHORT = ("france", "code", "numbers", "game", "mixed")


# -- the same numbers as another implementation ---------------------------------------------------------------------


def test_next_token_probabilities_of_a_batch(smollm2, reference):
    """Ten likeliest tokens after each prompt, five prompts of different lengths at once."""
    options = [[smollm2.tokenizer.piece(i) for i, _ in reference["prompts"][n]["top"]] for n in SHORT]
    keep = [[k for k, o in enumerate(os) if "\ufffd" not in o and not o.startswith("<|")] for os in options]
    told = smollm2.score(
        [Request(PROMPTS[n]) for n in SHORT], [[os[k] for k in ks] for os, ks in zip(options, keep, strict=True)]
    )
    for name, ks, found in zip(SHORT, keep, told, strict=True):
        wanted = [reference["prompts"][name]["top"][k][1] for k in ks]
        assert len(ks) >= 8
        np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_whole_text(smollm2, reference):
    """Every token of a text, read at the site of the logits."""
    for name in ("code", "mixed"):
        ids = smollm2.tokenizer.encode(PROMPTS[name])
        logits = smollm2.read(PROMPTS[name], "logits")["logits"].astype(np.float64)
        logp = (
            logits
            - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
            - logits.max(-1, keepdims=True)
        )
        told = logp[np.arange(len(ids) - 1), ids[1:]]
        assert reference["prompts"][name]["tokens"] == len(ids)
        np.testing.assert_allclose(told[-8:], reference["prompts"][name]["last"], atol=1e-3)
        assert told.sum() == pytest.approx(reference["prompts"][name]["sum"], abs=1e-2)


def test_after_a_long_text(smollm2, reference):
    """More than a thousand tokens."""
    wanted = reference["prompts"]["long"]
    assert wanted["tokens"] == len(smollm2.tokenizer.encode(long_prompt())) > 1000
    options = [smollm2.tokenizer.piece(i) for i, _ in wanted["top"]]
    (told,) = smollm2.score([Request(long_prompt())], [options])
    np.testing.assert_allclose(told, [p for _, p in wanted["top"]], atol=1e-3)


def test_greedy_text(smollm2, reference):
    """Both answers at once: one ends by itself, of the other the first 32 of the recorded 200 tokens."""
    names = ("france", "game")
    ended, cut = smollm2.complete([Request(PROMPTS[n], temperature=0, max_tokens=32) for n in names])
    assert ended.text == reference["greedy"]["france"]["text"] and ended.ended == "stop"
    assert cut.text == smollm2.tokenizer.decode(reference["greedy"]["game"]["ids"][:32]) and cut.ended == "length"


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
def test_against_transformers_itself(smollm2, reference):
    code = (
        "import json, sys; from pathlib import Path; sys.path.insert(0, 'tests/lm'); import make_reference\n"
        f"print(json.dumps(make_reference.measure(Path({str(assets.find('smollm2'))!r}))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ids"] == reference["ids"] and found["greedy"] == reference["greedy"]
    (answer,) = smollm2.complete([Request(GAME, temperature=0, max_tokens=200)])
    assert answer.text == found["greedy"]["game"]["text"]


# -- an answer depends on its request alone -------------------------------------------------------------------------

EIGHT = [Request(GAME, Address(seed=1, agent=str(i)), max_tokens=12) for i in range(8)]


@pytest.fixture(scope="module")
def together(smollm2):
    return smollm2.complete(EIGHT)


def test_a_stream_is_the_same_alone_and_in_any_order(smollm2, together):
    assert len({a.text for a in together}) >= 7, "agents differ"
    (alone,) = smollm2.complete([EIGHT[5]])
    assert alone.text == together[5].text and alone.logprob == pytest.approx(together[5].logprob, abs=1e-3)
    assert [a.text for a in smollm2.complete(EIGHT[::-1])] == [a.text for a in together[::-1]]
    assert smollm2.complete([]) == []


def test_sampling_has_the_models_distribution(smollm2):
    """The share of first tokens over 64 draws against the probability that `score` tells, then less chance."""
    prompt, options = "The capital of France is", [" Paris", " the"]

    def said(n, **how):
        return [a.text for a in smollm2.complete([Request(prompt, Address(draw=i), 1, **how) for i in range(n)])]

    p = np.exp(smollm2.score([Request(prompt)], [options])[0])
    usual = said(64)
    share = np.array([usual.count(o) / 64 for o in options])
    assert np.all(np.abs(share - p) < 4 * np.sqrt(p * (1 - p) / 64) + 1 / 64)
    assert set(said(8, top_p=0.5)) == {" Paris"}, "half of the probability is this token's"
    assert set(said(8, temperature=0.01)) == {" Paris"}


def test_stop_texts_and_limits(smollm2):
    ask = Request("1, 2, 3, 4, 5, 6, 7,", max_tokens=12, temperature=0)
    whole = smollm2.complete([ask])[0]
    assert whole.text.startswith(" 8, 9, 10")
    assert whole.ended == "length" and whole.tokens_out == 12
    stopped, other = smollm2.complete(
        [
            Request(ask.prompt, max_tokens=12, temperature=0, stop=(" 9", "zzz")),
            Request(ask.prompt, max_tokens=2, temperature=0),
        ]
    )
    assert stopped.text == " 8," and stopped.ended == "stop" and stopped.tokens_out == 3
    assert other.ended == "length" and other.tokens_out == 2 and whole.text.startswith(other.text)
    (told,) = smollm2.score([Request(ask.prompt)], [[stopped.text]])
    assert told[0] == pytest.approx(stopped.logprob, abs=1e-3)


OPTIONS = [["cooperate", "defect", "I cooperate with Bo"], ["J"], [], ["defect", "yes"]]
ASKS = [Request(GAME), Request(GAME.replace("Bo", "Cy")), Request(GAME), Request("Well, I")]


def test_scores_do_not_depend_on_batch_order_or_sharing(smollm2, monkeypatch):
    told = smollm2.score(ASKS[:3], OPTIONS[:3])
    assert [len(t) for t in told] == [3, 1, 0]
    back = smollm2.score(ASKS[2::-1], OPTIONS[2::-1])[::-1]
    for a, b in zip(told, back, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    turned = smollm2.score(ASKS[:1], [OPTIONS[0][::-1]])[0][::-1]
    np.testing.assert_allclose(turned, told[0], atol=1e-4)
    unshared = copy.copy(smollm2)
    unshared.share = False
    for a, b in zip(unshared.score(ASKS[:3], OPTIONS[:3]), told, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    monkeypatch.setattr(embedded, "_GROUP", 2)
    for a, b in zip(smollm2.score(ASKS[:3], OPTIONS[:3]), told, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_the_seam_between_prompt_and_continuation_is_not_moved_silently(smollm2):
    with pytest.warns(UserWarning, match="would be cut differently if they were one text"):
        smollm2.score([Request("The capital of France is ")], [["Paris"]])
    with pytest.raises(ModelError, match="a continuation is empty"):
        smollm2.score([Request("x")], [[""]])
    with pytest.raises(ModelError, match="1 requests, but 2 lists"):
        smollm2.score([Request("x")], [["y"], ["z"]])


def test_turns_go_through_the_chat_template(smollm2):
    turns = (Turn("system", "You play a game."), Turn("user", "Last round Bo defected. Do you cooperate or defect?"))
    a, b = smollm2.score([Request(turns), Request(GAME)], [["defect"], ["defect"]])
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_what_is_too_long_names_the_numbers(smollm2):
    with pytest.raises(ModelError, match="1 tokens of prompt and 8192 more are too many; the model reads at most 8192"):
        smollm2.complete([Request("a", max_tokens=8192)])


# -- sites ----------------------------------------------------------------------------------------------------------

LAYER = 15


def test_the_sites_are_listed_without_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path))
    found = {s.name: s.shape for s in sites("smollm2")}
    assert len(found) == 30 * 9 + 3
    assert found["L.0.q"] == (16, 9, 64) and found["L.29.k"] == (16, 3, 64) and found["L.3.pattern"] == (9, 16, 16)
    assert found["L.7.out"] == (16, 576) and found["logits"] == (16, 49152)


def test_the_command_lists_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["emergelab", "sites", "smollm2", "--json"])
    try:
        cli.main()
    except SystemExit as stop:
        assert not stop.code
    assert {"name": "embed", "shape": [16, 576], "dtype": "float32", "where": "a pass over 16 tokens"} in json.loads(
        capsys.readouterr().out
    )


@pytest.fixture(scope="module")
def plain(smollm2):
    return smollm2.read(GAME, "embed", f"L.{LAYER}.*", "L.29.out", "logits")


def test_reading(smollm2, plain):
    n = len(smollm2.tokenizer.encode(GAME))
    assert plain[f"L.{LAYER}.pattern"].shape == (9, n, n) and plain["L.29.out"].shape == (n, 576)
    np.testing.assert_allclose(plain[f"L.{LAYER}.pattern"].sum(-1), 1, atol=1e-5)
    assert not np.triu(plain[f"L.{LAYER}.pattern"], 1).any(), "nobody looks ahead"
    parts = plain[f"L.{LAYER}.mid"] + plain[f"L.{LAYER}.ffn"]
    np.testing.assert_allclose(parts, plain[f"L.{LAYER}.out"], atol=1e-3)
    with pytest.raises(SiteError, match=r"no site of smollm2 matches 'L\.30\.out'; did you mean"):
        smollm2.read(GAME, "L.30.out")


def test_an_intervention_changes_what_comes_after_and_nothing_before(smollm2, plain):
    edited = smollm2.edited(el.Ablate(f"L.{LAYER}.ffn"))
    found = edited.read(GAME, "embed", f"L.{LAYER}.*", "L.29.out", "logits")
    for part in ("q", "k", "v", "scores", "pattern", "heads", "mid"):
        np.testing.assert_allclose(found[f"L.{LAYER}.{part}"], plain[f"L.{LAYER}.{part}"], atol=1e-4)
    assert not found[f"L.{LAYER}.ffn"].any()
    assert np.abs(found["logits"] - plain["logits"]).max() > 0.1


def test_a_clamp_to_its_own_value_is_the_identity_and_a_patch_carries_over(smollm2, plain):
    """Two prompts of the same length: what one held at the last block's end decides what the other goes on to say."""
    other = GAME.replace("Last", "Next")
    assert len(smollm2.tokenizer.encode(other)) == len(smollm2.tokenizer.encode(GAME))
    own = smollm2.edited(el.Clamp("L.29.out", plain["L.29.out"]))
    np.testing.assert_allclose(own.read(GAME, "logits")["logits"], plain["logits"], atol=1e-3)
    theirs = own.read(other, "logits")["logits"]
    np.testing.assert_allclose(theirs, plain["logits"], atol=1e-3)


def test_steering_moves_an_answer_the_same_way_alone_and_in_a_batch(smollm2, plain):
    by = plain["L.29.out"][-1] * 0  # a direction of the residual stream that means one token
    by = by + 40 * np.asarray(smollm2.llama.embed[smollm2.tokenizer.encode("J")[0]])
    options = [["J", "F"]] * 2
    before = smollm2.score(ASKS[:2], options)
    steered = smollm2.edited(el.Shift("L.29.out", by=by))
    after = steered.score(ASKS[:2], options)
    assert all(a[0] - a[1] > b[0] - b[1] + 1 for a, b in zip(after, before, strict=True))
    alone = [steered.score([ask], [["J", "F"]])[0] for ask in ASKS[:2]]
    np.testing.assert_allclose(np.stack(alone), np.stack(after), atol=1e-3)
    off = smollm2.edited(el.Shift("L.29.out", by=by * 0)).score(ASKS[:2], options)
    np.testing.assert_allclose(np.stack(off), np.stack(before), atol=1e-3)


def test_a_window_counts_new_tokens(smollm2):
    """From the third new token on the model says one thing only; before it, what it would have said."""
    loud = np.zeros(smollm2.llama.config.vocabulary, np.float32)
    loud[smollm2.tokenizer.encode("!")[0]] = 1e4
    ask = Request("The capital of France is", max_tokens=5, temperature=0)
    usual = smollm2.complete([ask])[0].text
    shouting = smollm2.edited(el.Shift("logits", by=loud, during=(2, None))).complete([ask])[0].text
    assert shouting.endswith("!!!") and usual.startswith(shouting.removesuffix("!!!")) and len(shouting) > 3


def test_an_edit_from_outside_is_never_ignored(smollm2):
    ask, loud = Request("The capital of France is", max_tokens=1, temperature=0), smollm2.tokenizer.encode("!")[0]
    usual = smollm2.complete([ask])[0].text
    with el.edit(el.Clamp("logits", jnp.zeros(smollm2.llama.config.vocabulary).at[loud].set(9.0))):
        assert smollm2.complete([ask])[0].text == "!"
    assert smollm2.complete([ask])[0].text == usual


def test_what_was_done_to_a_model_is_part_of_its_revision(smollm2):
    a, b = (smollm2.edited(el.Scale("L.3.heads", by=x)) for x in (0.5, 0.6))
    assert len({smollm2.revision, a.revision, b.revision}) == 3
    assert a.revision == smollm2.edited(el.Scale("L.3.heads", by=0.5)).revision
    assert a.about()["interventions"] == ["Scale('L.3.heads')"] and smollm2.about()["revision"] == "b179c9523d0e6a0f"
    with pytest.raises(SiteError, match="did you mean"):
        smollm2.edited(el.Ablate("L.3.hedas"))


def test_an_edited_model_is_not_opened_again_and_travels_with_its_edits(smollm2, monkeypatch):
    """Here it shares weights with the one it was made of; another process opens them and edits them alike."""
    opened = []

    def again(spec):
        opened.append(spec)
        return copy.copy(named)

    monkeypatch.setattr("emergelab.lm.opening.open_lm", again)
    named = copy.copy(smollm2)
    named.spec = "smollm2"
    edited = named.edited(el.Ablate("L.3.ffn")).edited(el.Scale("L.4.ffn", by=0.5))
    assert edited.llama is smollm2.llama and not opened
    back = pickle.loads(pickle.dumps(edited))
    assert opened == ["smollm2"] and back.revision == edited.revision != smollm2.revision
    ask = Request("The capital of France is")
    np.testing.assert_array_equal(back.score([ask], [[" Paris"]])[0], edited.score([ask], [[" Paris"]])[0])


def test_reading_ends_after_the_last_site_that_is_wanted(smollm2, plain, monkeypatch):
    passed = []
    through = passes._through
    monkeypatch.setattr(passes, "_through", lambda *a: passed.append(a) or through(*a))
    found = smollm2.read(GAME, "L.2.out")
    assert len(passed) == 2, "two blocks before the one that is read"
    np.testing.assert_allclose(found["L.2.out"], smollm2.read(GAME, "L.2.out", "logits")["L.2.out"], atol=1e-4)


# -- opening --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_opened_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no model and no path 'smolm2'; did you mean 'smollm2'"):
        open_embedded("smolm2")
    with pytest.raises(UserError, match="minilm is no language model but a sentence encoder"):
        open_embedded("minilm")
    with pytest.raises(UserError, match="dtype must be"):
        open_embedded("smollm2", dtype="int4")
    (tmp_path / "x.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(4))
    with pytest.raises(UserError, match="not a whole GGUF file"):
        open_embedded(tmp_path / "x.gguf")
    with pytest.raises(UserError, match=r"holds no \*\.safetensors"):
        open_embedded(tmp_path)
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="emergelab get smollm2"):
        open_embedded("smollm2")


def test_lengths_are_padded_to_few():
    sizes = [bucket(n) for n in range(1, 3000)]
    assert all(size >= n for n, size in enumerate(sizes, 1)) and len(set(sizes)) < 18
    assert max(size / n for n, size in enumerate(sizes, 1) if n > 32) < 1.5
