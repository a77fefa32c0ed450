"""Teaching: a rule is learnt from examples, and nothing else is touched."""

import copy

import numpy as np
import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.lm.base import ModelError, Request
from emergelab.lm.tuning import Adapter, Example, tune

MOVES = {"defected": " defect", "cooperated": " cooperate"}
HELD_OUT = [(name, move) for name in ("Ida", "Kim", "Lou", "Mia") for move in MOVES]


def prompt(name, move):
    return f"{name} {move}. You"


@pytest.fixture(scope="module")
def adapter(smollm2):
    """Tit for tat, told by players who do not occur in the test."""
    names = ("Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal")
    examples = [Example(prompt(n, m), answer) for n in names for m, answer in MOVES.items()]
    return tune(smollm2, examples, steps=8, rate=4e-3)


def accuracy(model):
    told = model.score([Request(prompt(*case)) for case in HELD_OUT], [list(MOVES.values())] * len(HELD_OUT))
    return np.mean([list(MOVES)[int(np.argmax(t))] == move for t, (_, move) in zip(told, HELD_OUT, strict=True)])


def test_a_rule_is_learnt(smollm2, adapter):
    taught = adapter.on(smollm2)
    assert adapter.losses[-1] < 0.3 < adapter.losses[0]
    assert accuracy(taught) == 1.0 and accuracy(smollm2) < 1.0
    said = taught.complete([Request(prompt(*case), temperature=0, max_tokens=4) for case in HELD_OUT])
    assert [a.text for a in said] == [MOVES[move] for _, move in HELD_OUT], "and it ends after its answer"


def test_what_was_learnt_goes_to_disk_and_back(smollm2, adapter, tmp_path):
    adapter.save(tmp_path / "rule.safetensors")
    back = Adapter.load(tmp_path / "rule.safetensors")
    assert back.revision == adapter.revision and back.base == smollm2.revision and back.losses == adapter.losses
    for part, factors in adapter.learnt.items():
        for which, array in factors.items():
            np.testing.assert_array_equal(back.learnt[part][which], array)
    (tmp_path / "no").write_text("")
    with pytest.raises(UserError, match="cannot be read as an adapter"):
        Adapter.load(tmp_path / "no")


def test_a_taught_model_says_so_and_the_first_is_untouched(smollm2, adapter):
    taught = adapter.on(smollm2)
    assert taught.revision == f"{smollm2.revision}+{adapter.revision}"
    assert taught.llama.blocks[7].k is smollm2.llama.blocks[7].k, "what was not taught is shared"
    assert not np.array_equal(taught.llama.blocks[7].q[0], smollm2.llama.blocks[7].q[0])
    with pytest.raises(ModelError, match="was learnt on"):
        adapter.on(taught)


def test_a_taught_model_keeps_what_it_learnt_and_nothing_else(smollm2, adapter):
    """Not the beginnings that the first model has read, also under edits, and when a word opened the first."""
    story = "They met at the well every morning, and each time one of them had to decide first. " * 3
    asks = [Request(story + prompt(*case)) for case in HELD_OUT[:2]]
    options = [list(MOVES.values())] * 2
    first = copy.copy(smollm2)
    first.spec, first._openings = "smollm2", {}
    before = first.score(asks, options)
    assert first._openings, "the story is kept"
    taught = adapter.on(first)
    after = np.stack(taught.score(asks, options))
    taught.share = False
    np.testing.assert_allclose(np.stack(taught.score(asks, options)), after, atol=1e-3)
    assert np.abs(after - np.stack(before)).max() > 0.1
    edited = taught.edited(el.Scale("L.3.ffn", by=1.0))
    assert edited.llama is taught.llama
    np.testing.assert_allclose(np.stack(edited.score(asks, options)), after, atol=1e-3)


def test_wrong_calls(smollm2):
    one = [Example("a", " b")]
    with pytest.raises(UserError, match="there are no examples"):
        tune(smollm2, [])
    with pytest.raises(UserError, match="must be at least 1"):
        tune(smollm2, one, steps=0)
    with pytest.raises(UserError, match="parts must be some of"):
        tune(smollm2, one, parts=("embed",))
    with pytest.raises(ModelError, match="without its interventions"):
        tune(smollm2.edited(el.Ablate("L.3.ffn")), one)
