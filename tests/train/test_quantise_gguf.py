"""A checkpoint as a GGUF file: what stands in it, and, where llama-cpp-python is installed, what llama.cpp makes of it."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("gguf")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import tiny_lm
from ponderank import DataError, MissingExtra
from ponderank.train import gguf as files
from ponderank.train import gguf_tokens
from ponderank.train.quantise import prepare, quantise

THINKING = Path(__file__).parents[1] / "reasoner" / "thinking"
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 3.0}
SHAPES = {
    "llama": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "llama3 turns": ("Llama", {"rope_parameters": LLAMA3}),
    "linear turns": ("Llama", {"rope_parameters": LINEAR}),
    "yarn turns": ("Qwen2", {"rope_parameters": YARN}),
}


def checkpoint(folder, name="llama", *, hidden=64, spare=3, **others):
    """A random model of two layers whose weights are numbers that F16 holds, with ``spare`` rows more than tokens."""
    import torch
    import transformers
    from tokenizers import Tokenizer

    kind, settings = SHAPES[name]
    folder.mkdir(parents=True)
    tiny_lm.tokenizer(folder)
    size = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    torch.manual_seed(3)
    same = {
        "vocab_size": size + spare, "hidden_size": hidden, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": size - 5,
        "eos_token_id": size - 5, "tie_word_embeddings": False, "initializer_range": 0.2,
    }  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(**{**same, **settings, **others})
    made = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if name.endswith("bias"):
                weight.normal_(std=0.3)
            weight.copy_(weight.half().float())
    made.save_pretrained(folder)
    return folder


def changed(folder, name, change):
    path = folder / name
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))
    return folder


def tensors(file):
    import gguf

    return {one.name: one for one in gguf.GGUFReader(file).tensors}


def field(file, key):
    import gguf

    return gguf.GGUFReader(file).fields[key].contents()


def weights(folder):
    from safetensors.torch import load_file

    return {name: value.float().numpy() for name, value in load_file(folder / "model.safetensors").items()}


def llama_cpp():
    pytest.importorskip("llama_cpp")
    from ponderank.backends.llamacpp import GgufModel

    return GgufModel


def values(one):
    import gguf

    return gguf.quants.dequantize(one.data, one.tensor_type)


def test_the_head_says_what_the_configuration_says(tmp_path):
    file = files.write_gguf(checkpoint(tmp_path / "m", "qwen3"), tmp_path / "m.gguf", "F16", about={"target": "x"})
    wanted = {
        "general.architecture": "qwen3", "qwen3.block_count": 2, "qwen3.embedding_length": 64, "qwen3.attention.head_count": 4,
        "qwen3.attention.head_count_kv": 2, "qwen3.attention.key_length": 32, "qwen3.context_length": 256,
        "qwen3.rope.freq_base": 10000.0, "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.add_bos_token": False,
    }  # fmt: skip
    assert {key: field(file, key) for key in wanted} == wanted
    assert files.about(file) == {"target": "x"}


def test_tokens_are_padded_to_the_embeddings_and_a_thoughts_marks_are_read_as_one(tmp_path):
    import gguf

    file = files.write_gguf(checkpoint(tmp_path / "m", spare=3), tmp_path / "m.gguf", "F16")
    names, kinds = field(file, "tokenizer.ggml.tokens"), field(file, "tokenizer.ggml.token_type")
    size = len(weights(tmp_path / "m")["model.embed_tokens.weight"])
    assert len(names) == len(kinds) == size
    assert names[-3:] == [f"[PAD{i}]" for i in range(size - 3, size)]
    assert kinds[-3:] == [gguf.TokenType.UNUSED] * 3
    assert kinds[names.index("<think>")] == gguf.TokenType.USER_DEFINED
    assert kinds[names.index("<|im_end|>")] == gguf.TokenType.CONTROL


@pytest.mark.parametrize(("kind", "near"), [("F16", 0.0), ("Q8_0", 0.01), ("Q4_0", 0.15)])
def test_what_is_written_is_near_the_weights_and_named_by_its_place(tmp_path, kind, near):
    import numpy as np

    folder = checkpoint(tmp_path / "m", "qwen3")
    found, own = tensors(files.write_gguf(folder, tmp_path / "m.gguf", kind)), weights(folder)
    assert len(found) == len(own)
    for here, there in (("model.layers.1.mlp.up_proj", "blk.1.ffn_up"), ("model.embed_tokens", "token_embd")):
        one = found[f"{there}.weight"]
        assert one.tensor_type.name == kind
        off = np.abs(values(one) - own[f"{here}.weight"]).max() / np.abs(own[f"{here}.weight"]).max()
        assert off <= near
        assert off > 0 or kind == "F16"
    assert found["output_norm.weight"].tensor_type.name == "F32"
    assert found["output.weight"].tensor_type.name == {"Q4_0": "Q8_0"}.get(kind, kind)


def test_rows_that_do_not_divide_by_a_block_stay_in_half_precision(tmp_path):
    folder = checkpoint(tmp_path / "m", hidden=48)
    found = tensors(files.write_gguf(folder, tmp_path / "m.gguf", "Q4_0"))
    assert {name: found[name].tensor_type.name for name in ("blk.0.attn_q.weight", "blk.0.ffn_down.weight")} == {
        "blk.0.attn_q.weight": "F16",
        "blk.0.ffn_down.weight": "Q4_0",
    }


def test_a_tied_table_is_written_once_and_keeps_eight_bits(tmp_path):
    found = tensors(files.write_gguf(checkpoint(tmp_path / "m", "qwen2"), tmp_path / "m.gguf", "Q4_0"))
    assert "output.weight" not in found
    assert found["token_embd.weight"].tensor_type.name == "Q8_0"
    assert "blk.0.attn_q.bias" in found


def test_a_llamas_heads_are_interleaved(tmp_path):
    import numpy as np

    folder = checkpoint(tmp_path / "m", "llama")
    found, own = tensors(files.write_gguf(folder, tmp_path / "m.gguf", "F16")), weights(folder)
    rows = own["model.layers.0.self_attn.q_proj.weight"]
    assert np.array_equal(values(found["blk.0.attn_q.weight"])[:4], rows[[0, 8, 1, 9]])  # heads of 16
    assert np.array_equal(values(found["blk.0.attn_v.weight"]), own["model.layers.0.self_attn.v_proj.weight"])


@pytest.mark.parametrize("name", SHAPES)
def test_llama_cpp_reckons_what_torch_reckons(tmp_path, name):
    GgufModel = llama_cpp()
    from ponderank.backends.transformers_lm import TorchGenerator
    from ponderank.types import Choose, Part

    folder = checkpoint(tmp_path / "m", name)
    file = files.write_gguf(folder, tmp_path / "m.gguf", "F16")
    prompts = [(Part("who wrote it? nobody knows. " * times, True), Part("<think>", True)) for times in (1, 5, 9)]
    told = []
    for backend in (TorchGenerator(folder, threads=1), GgufModel(file, threads=1, memory_precision="float32")):
        tickets = [backend.add(Choose(prompt, (" true", " false", " wrote", "Query"))) for prompt in prompts]
        found = {}
        while len(found) < len(tickets):
            found |= dict(backend.step())
        told.append([score for ticket in tickets for score in found[ticket].scores])
        backend.close()
    assert told[1] == pytest.approx(told[0], abs=0.03)  # llama.cpp rounds activations to F16 too
    assert max(told[0]) - min(told[0]) > 1


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0", "Q4_K_M"])
def test_the_trained_reasoner_says_the_same_in_llama_cpp(tmp_path, kind):
    llama_cpp()
    from ponderank import Reranker
    from ponderank.data.beir import Collection
    from ponderank.retrieval.runs import candidates

    file = files.write_gguf(THINKING, tmp_path / f"{kind}.gguf", kind)
    dials = Collection.open(THINKING.parent / "dials")
    queries = dials.judged_queries(dials.splits[0])[:2]
    many = list(candidates(dials, dials.folder / "first.trec", queries, 6))
    found = []
    for model in (THINKING, file):
        with Reranker("rank1", model=model, threads=1, think_tokens=320, slots=4) as reranker:
            rankings = list(reranker.rank_many(many))
        found.append({
            (r.query.id, doc.id): (r.judgement(at).verdict, r.judgement(at).reasoning)
            for r in rankings for at, doc in enumerate(r.docs)
        })  # fmt: skip
    assert {key: verdict for key, (verdict, _) in found[0].items()} == {k: v for k, (v, _) in found[1].items()}
    if kind == "F16":
        assert found[0] == found[1]


def written_pre(tmp_path, pre, **model):
    folder = tmp_path / "m"
    shutil.copytree(THINKING, folder)
    return changed(folder, "tokenizer.json", lambda it: (it.update(pre_tokenizer=pre), it["model"].update(model)))


def split(expression):
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    pattern = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [pattern, byte_level]}


@pytest.mark.parametrize("name", ["qwen2", "llama-bpe", "tekken"])
def test_a_pre_tokenizer_gets_llama_cpps_name_and_the_same_ids(tmp_path, name):
    expression = next(key for key, value in gguf_tokens._SPLITS.items() if value == name)
    folder = written_pre(tmp_path, split(expression), ignore_merges=name != "qwen2")
    file = files.write_gguf(folder, tmp_path / "m.gguf", "Q8_0")
    assert field(file, "tokenizer.ggml.pre") == name
    llama_cpp()
    assert gguf_tokens.check(file, folder)


def test_a_wrong_name_for_the_pre_tokenizer_is_found_out(tmp_path):
    llama_cpp()
    folder = written_pre(tmp_path, split(next(iter(gguf_tokens._SPLITS))))  # Qwen2's
    file = files.write_gguf(folder, tmp_path / "m.gguf", "Q8_0")
    with pytest.raises(DataError, match=r"llama\.cpp divides .* otherwise than tokenizer\.json"):
        gguf_tokens.check(file, THINKING)  # whose digits stay together


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config.json", {"model_type": "gemma2"}, "GGUF files are written of llama, mistral, qwen2, qwen3"),
        ("config.json", {"sliding_window": 64}, "a sliding window of 64 tokens"),
        ("config.json", {"hidden_act": "gelu"}, "the activation 'gelu'"),
        ("config.json", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "how this model turns positions: dynamic"),
        ("config.json", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "mscale": 1.0}}, "positions: yarn mscale"),
        ("tokenizer.json", {"pre_tokenizer": split("[a-z]+")}, "no name for how this tokenizer divides"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Metaspace"}}, "needs a byte-level BPE"),
        ("tokenizer.json", {"normalizer": {"type": "Lowercase"}}, "cannot normalise"),
        ("tokenizer.json", {"added_tokens": [{"id": 9999, "content": "x", "special": True}]}, "the id 9999, the embeddings have"),
        ("tokenizer.json", {"added_tokens": [{"id": 9, "content": "x", "special": True, "lstrip": True}]}, "white space beside"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_over_is_refused_with_a_reason(tmp_path, name, change, message):
    folder = tmp_path / "m"
    shutil.copytree(THINKING, folder)
    with pytest.raises(DataError, match=message):
        files.write_gguf(changed(folder, name, lambda it: it.update(change)), tmp_path / "m.gguf", "Q8_0")


def test_numbers_too_large_for_half_precision_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = checkpoint(tmp_path / "m")
    held = load_file(folder / "model.safetensors")
    held["lm_head.weight"][0, 0] = 1e6
    save_file(held, folder / "model.safetensors")
    with pytest.raises(DataError, match=r"'lm_head\.weight' holds numbers too large for F16"):
        files.write_gguf(folder, tmp_path / "m.gguf", "F16")


def test_four_bits_are_q4_0_where_rows_do_not_divide_by_256(tmp_path):
    job = prepare(THINKING, "gguf-q4", tmp_path / "m.gguf")
    assert job.scheme == "Q4_0"
    assert "256" in job.why or "not installed" in job.why
    made = quantise(job)
    assert (made["scheme"], made["types"]["Q4_0"]) == ("Q4_0", 29)


def test_four_bits_are_llama_cpps_own_where_it_is_installed_and_rows_divide(tmp_path):
    llama_cpp()
    folder = checkpoint(tmp_path / "m", hidden=256, intermediate_size=256)
    job = prepare(folder, "gguf-q4")
    assert (job.scheme, job.out.name) == ("Q4_K_M", "m-Q4_K_M.gguf")
    made = quantise(job)
    assert made["types"]["Q4_K"] > made["types"]["Q6_K"] > 0
    assert not list(tmp_path.glob("*.f16"))


def test_q4_k_m_without_llama_cpp_names_the_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(MissingExtra, match=r"ponderank\[llamacpp\]"):
        prepare(THINKING, "gguf-q4_k_m", tmp_path / "m.gguf")
    assert not list(tmp_path.iterdir())
