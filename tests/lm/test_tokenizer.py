"""Tokens: the ids of another implementation on hostile text, and text that comes back."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.lm._tokenizer import Tokenizer
from emergelab.lm.base import ModelError, Turn

from .texts import HOSTILE, TURNS


@pytest.mark.parametrize("i", range(len(HOSTILE)))
def test_ids_equal_those_of_transformers(smollm2, reference, i):
    ids = smollm2.tokenizer.encode(HOSTILE[i])
    digest = hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]
    assert reference["ids"][i] == {"count": len(ids), "sha256": digest}


@pytest.mark.parametrize("name", TURNS)
def test_the_chat_template_equals_that_of_transformers(smollm2, reference, name):
    assert smollm2.tokenizer.chat([Turn(*turn) for turn in TURNS[name]]) == reference["chat"][name]


def test_text_comes_back(smollm2):
    tokenizer = smollm2.tokenizer

    @settings(max_examples=200)
    @given(st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=["Cs"])))
    def law(text):
        assert tokenizer.decode(tokenizer.encode(text)) == text

    law()


def test_what_this_vocabulary_cannot_say_is_lost(smollm2):
    """It has no token for a few control characters, and drops them, as its other users do."""
    assert smollm2.tokenizer.encode("a\x06b") == smollm2.tokenizer.encode("a") + smollm2.tokenizer.encode("b")


@pytest.mark.parametrize("numeral", ["7", "½", "²", "Ⅷ"])
def test_every_numeral_stands_alone(smollm2, numeral):
    """The header's rule "smollm". The reference is silent here: transformers drops this rule when it reads a GGUF."""
    encode = smollm2.tokenizer.encode
    assert encode(f"a {numeral}{numeral}b") == encode("a ") + 2 * encode(numeral) + encode("b")


def test_half_a_surrogate_pair_is_no_crash(smollm2):
    assert smollm2.tokenizer.decode(smollm2.tokenizer.encode("a\ud800b")) == "a\ufffdb"


def test_what_ends_an_answer(smollm2):
    assert [smollm2.tokenizer.piece(i) for i in smollm2.tokenizer.ends] == ["<|endoftext|>", "<|im_end|>"]


HEADER = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": ["a", "b", "ab", "<s>"],
    "tokenizer.ggml.eos_token_id": 3,
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.token_type": [1, 1, 1, 3],
    "tokenizer.ggml.bos_token_id": 3,
    "tokenizer.ggml.add_bos_token": True,
}


def test_headers(tmp_path):
    with pytest.raises(ModelError, match="no token that ends an answer"):
        Tokenizer.of_gguf({k: v for k, v in HEADER.items() if k != "tokenizer.ggml.eos_token_id"}, tmp_path)
    made = Tokenizer.of_gguf(HEADER, tmp_path)
    assert made.encode("abba") == [3, 2, 1, 0] and made.encode("ab", begin=False) == [2]
    with pytest.raises(ModelError, match="no chat template"):
        made.chat([Turn("user", "x")])
    with pytest.raises(ModelError, match="of kind 'llama', and only 'gpt2'"):
        Tokenizer.of_gguf({**HEADER, "tokenizer.ggml.model": "llama"}, tmp_path)
    with pytest.raises(ModelError, match="the rule 'qwen2' for cutting text is not known"):
        Tokenizer.of_gguf({**HEADER, "tokenizer.ggml.pre": "qwen2"}, tmp_path)
    refusing = Tokenizer.of_gguf({**HEADER, "tokenizer.chat_template": "{{ raise_exception('only users') }}"}, tmp_path)
    with pytest.raises(ModelError, match="refuses these turns: only users"):
        refusing.chat([Turn("system", "x")])
    broken = Tokenizer.of_gguf({**HEADER, "tokenizer.chat_template": "{{ 1 / 0 }}"}, tmp_path)
    with pytest.raises(ModelError, match="cannot be used"):
        broken.chat([Turn("user", "x")])
