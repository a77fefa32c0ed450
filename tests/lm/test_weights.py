"""Weights from disk, on a model small enough to be made here: GGUF and safetensors hold the same one."""

import json

import numpy as np
import pytest

from emergelab.errors import UserError
from emergelab.lm._gguf import Gguf
from emergelab.lm.base import ModelError, Request
from emergelab.lm.embedded import open_embedded, sites
from emergelab.lm.opening import open_lm

gguf = pytest.importorskip("gguf")
numpy_files = pytest.importorskip("safetensors.numpy")
tokenizers = pytest.importorskip("tokenizers")

LAYERS, WIDTH, HEADS, KV, HIDDEN = 2, 64, 4, 2, 96
ALPHABET = [*sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()), "ab", "<|endoftext|>"]
SHAPES = {
    "q_proj": (WIDTH, WIDTH),
    "k_proj": (WIDTH // 2, WIDTH),
    "v_proj": (WIDTH // 2, WIDTH),
    "o_proj": (WIDTH, WIDTH),
    "gate_proj": (HIDDEN, WIDTH),
    "up_proj": (HIDDEN, WIDTH),
    "down_proj": (WIDTH, HIDDEN),
}
NAMES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate",
         "up_proj": "ffn_up", "down_proj": "ffn_down"}  # fmt: skip


def weights():
    rng = np.random.default_rng(0)
    out = {"model.embed_tokens.weight": rng.normal(size=(len(ALPHABET), WIDTH)), "model.norm.weight": np.ones(WIDTH)}
    for i in range(LAYERS):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            out[f"model.layers.{i}.{norm}.weight"] = rng.uniform(0.5, 1.5, WIDTH)
        for part, shape in SHAPES.items():
            block = "self_attn" if part[0] in "qkvo" else "mlp"
            out[f"model.layers.{i}.{block}.{part}.weight"] = rng.normal(size=shape) * 0.3
    return {k: v.astype(np.float32) for k, v in out.items()}


def folder(path, **changes):
    path.mkdir()
    numpy_files.save_file(weights(), path / "model.safetensors")
    config = {
        "model_type": "llama", "num_hidden_layers": LAYERS, "hidden_size": WIDTH, "num_attention_heads": HEADS,
        "num_key_value_heads": KV, "intermediate_size": HIDDEN, "vocab_size": len(ALPHABET), "rms_norm_eps": 1e-5,
        "max_position_embeddings": 128, "rope_theta": 5000.0,
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps(config | changes))
    inner = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={t: i for i, t in enumerate(ALPHABET)}, merges=[("a", "b")])
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    inner.add_special_tokens(["<|endoftext|>"])
    inner.save(str(path / "tokenizer.json"))
    return path


def file(path, kind=gguf.GGMLQuantizationType.F32, family="llama", extra=()):
    writer = gguf.GGUFWriter(path, family)
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV)
    writer.add_rope_freq_base(5000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(ALPHABET)
    writer.add_token_types([1] * (len(ALPHABET) - 1) + [3])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(len(ALPHABET) - 1)

    def add(name, array):
        if array.ndim == 1 or kind == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, array)
        else:
            writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)

    held = weights()
    add("token_embd.weight", held["model.embed_tokens.weight"])
    add("output_norm.weight", held["model.norm.weight"])
    for i in range(LAYERS):
        add(f"blk.{i}.attn_norm.weight", held[f"model.layers.{i}.input_layernorm.weight"])
        add(f"blk.{i}.ffn_norm.weight", held[f"model.layers.{i}.post_attention_layernorm.weight"])
        for part, name in NAMES.items():
            w = held[f"model.layers.{i}.{'self_attn' if part[0] in 'qkvo' else 'mlp'}.{part}.weight"]
            if part in ("q_proj", "k_proj"):  # such files hold the two halves of a head interleaved
                heads = HEADS if part == "q_proj" else KV
                w = w.reshape(heads, 2, WIDTH // HEADS // 2, WIDTH).swapaxes(1, 2).reshape(w.shape)
            add(f"blk.{i}.{name}.weight", np.ascontiguousarray(w))
    for name in extra:
        writer.add_tensor(name, np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def told(model):
    return model.score([Request("abc def")], [["x", "yz", " c"]])[0]


def test_both_formats_hold_the_same_model(tmp_path):
    one, other = open_embedded(folder(tmp_path / "f")), open_embedded(file(tmp_path / "m.gguf"))
    assert one.name == "f" and other.name == "m" and one.revision != other.revision
    assert one.tokenizer.encode("abc") == other.tokenizer.encode("abc")
    np.testing.assert_allclose(
        one.read("abc def", "L.1.q")["L.1.q"], other.read("abc def", "L.1.q")["L.1.q"], atol=1e-4
    )
    np.testing.assert_allclose(told(one), told(other), atol=1e-4)
    assert {s.name for s in sites(str(tmp_path / "f"))} >= {"L.1.out", "logits"}


def test_rounded_weights_are_another_model_with_nearly_the_same_numbers(tmp_path):
    one = open_embedded(folder(tmp_path / "f"))
    rounded = open_lm(f"bfloat16:{tmp_path / 'f'}")
    np.testing.assert_allclose(told(rounded), told(one), rtol=0.02)
    assert (told(rounded) != told(one)).all()
    assert rounded.revision == f"{one.revision}-bfloat16" and rounded.about()["dtype"] == "bfloat16"
    assert rounded.llama.blocks[0].q.dtype == "bfloat16"
    assert rounded.read("abc", "L.1.out")["L.1.out"].dtype == "float32"
    with pytest.raises(UserError, match="no model 'bfloat16:nowhere'"):
        open_lm("bfloat16:nowhere")


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0", "F16", "BF16"])
def test_quantised_weights_equal_the_librarys_own_reading(tmp_path, kind):
    path = file(tmp_path / "m.gguf", gguf.GGMLQuantizationType[kind])
    ours, theirs = Gguf(path), gguf.GGUFReader(path)
    assert ours.names == [t.name for t in theirs.tensors]
    for tensor in theirs.tensors:
        wanted = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(ours(tensor.name), wanted.reshape(ours(tensor.name).shape))
    for name, field in theirs.fields.items():
        if not name.startswith("GGUF."):
            assert ours.fields[name] == pytest.approx(field.contents()) if "eps" in name else True
            assert ours.fields[name] == field.contents()


def test_models_that_are_not_known_are_refused_by_name(tmp_path):
    for i, (changes, message) in enumerate(
        (
            ({"model_type": "gpt2"}, "the architecture 'gpt2' is not known here"),
            ({"rope_scaling": {"rope_type": "llama3"}}, "scaled rotations or a window is not known here"),
            ({"hidden_act": "gelu"}, "the activation 'gelu' is not known here"),
            ({"intermediate_size": 95}, "'gate' of block 0 have shape"),
        )
    ):
        with pytest.raises(ModelError, match=message):
            open_embedded(folder(tmp_path / str(i), **changes))
    with pytest.raises(ModelError, match="the architecture 'qwen2' is not known here; only 'llama' is"):
        open_embedded(file(tmp_path / "q.gguf", family="qwen2"))
    with pytest.raises(ModelError, match=r"a Llama with rope_freqs\.weight is not known here"):
        open_embedded(file(tmp_path / "r.gguf", extra=["rope_freqs.weight"]))


def test_damaged_files_are_one_line(tmp_path):
    whole = file(tmp_path / "m.gguf").read_bytes()
    for cut in (0, 3, 20, 200, 3000, len(whole) // 2):
        (tmp_path / "cut.gguf").write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"cut\.gguf") as refused:
            open_embedded(tmp_path / "cut.gguf")
        assert "\n" not in str(refused.value)
    made = folder(tmp_path / "f")
    (made / "config.json").write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        open_embedded(made)
    (made / "config.json").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        open_embedded(made)
