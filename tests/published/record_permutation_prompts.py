"""Write ``permutation_prompts.json``: what the published listwise rerankers make of ``cases_permutation_prompts.py``.

Their prompts, and the orders that they read from answers.

Usage: ``python record_permutation_prompts.py FOLDER``, where FOLDER holds checkouts named ``RankGPT``, ``rank_llm`` (and
``rank_llm-release``, its commit 8c1c2ed), ``rank-k``, ``ReasonRank``, ``fullrank``, ``llm-reranker`` and ``DeAR-Reranking``. Needs
``ftfy``, ``fschat``, ``pyyaml``, ``toml``, ``dacite`` and ``tqdm``; heavy packages that the builders of prompts do not use are
replaced by empty modules.
"""

import ast
import importlib
import json
import sys
import types
from pathlib import Path
from types import SimpleNamespace

from cases_permutation_prompts import BLOCKS, LETTERED, SIZES, answer, cases, digest, pieces

COMMITS = {
    "RankGPT": "sunnweiwei/RankGPT@0d62bc3",
    "rank_llm": "castorini/rank_llm@1b3cabb",
    "rank_llm-release": "castorini/rank_llm@8c1c2ed",
    "rank-k": "hltcoe/rank-k@ecdf232",
    "ReasonRank": "8421BCD/ReasonRank@06721fd",
    "fullrank": "8421BCD/fullrank@3a53270",
    "llm-reranker": "gangiswag/llm-reranker@2d7cba4",
    "DeAR-Reranking": "DataScienceUIBK/DeAR-Reranking@c31c739",
}
EMPTY = (
    "torch", "vllm", "vllm.lora", "vllm.lora.request", "transformers", "transformers.generation", "pyserini", "pyserini.search",
    "faiss", "openai", "tiktoken", "numpy", "utils.result_writer", "vllm.outputs",
)  # fmt: skip


class Anything(types.ModuleType):
    """A module in which every name is a class of no use."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Pieces:
    """A tokenizer whose chat template hands the turns back, with the methods that the builders call."""

    chat_template = "system"

    def apply_chat_template(self, messages, **options):
        return json.dumps([[one["role"], one["content"]] for one in messages], ensure_ascii=False)

    def tokenize(self, text):
        return pieces(text)

    def encode(self, text, **options):
        return pieces(text)

    def convert_tokens_to_string(self, tokens):
        return "".join(tokens)


def fresh(folder):
    """Import from this folder alone: each repository has modules of the same names."""
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("utils", "rerank", "data", "config", "rank_llm")
    ]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))


def contents(docs):
    """Passages as Anserini's collections hold them."""
    return [f"Title: {title} Content: {text}" if title else text for title, text in docs]


def doc(title, text):
    return {"title": title, "text": text} if title else {"text": text}


def turns(messages):
    return [[one["role"], one["content"]] for one in messages]


def result_of(query, docs):
    """A result as the descendants of rank_llm read it."""
    candidates = [SimpleNamespace(docid=str(i), score=1.0, doc=doc(*one)) for i, one in enumerate(docs)]
    return SimpleNamespace(query=SimpleNamespace(text=query, qid="q"), candidates=candidates)


def rank_gpt(folder):
    fresh(folder)
    make = importlib.import_module("rank_gpt").create_permutation_instruction
    return lambda query, docs: turns(make({"query": query, "hits": [{"content": one} for one in contents(docs)]}))


def dear(folder):
    fresh(folder)
    make = importlib.import_module("listwise_rerank.prompts").build_messages
    return lambda query, docs: turns(make(query, [{"content": one} for one in contents(docs)]))


def rank_llm(folder, template):
    import yaml

    fresh(folder / "src")
    listwise = "rank_llm.rerank.listwise"
    for name, path in (("rank_llm.rerank", "rank_llm/rerank"), (listwise, "rank_llm/rerank/listwise")):
        package = types.ModuleType(name)  # without the packages' own imports of engines
        package.__path__ = [str(folder / "src" / path)]
        sys.modules[name] = package
    handler = importlib.import_module(
        f"{listwise}.singleturn_listwise_inference_handler"
    ).SingleTurnListwiseInferenceHandler
    text = (folder / f"src/rank_llm/rerank/prompt_templates/{template}.yaml").read_text()
    made = handler(yaml.safe_load(text))
    alpha = "alpha" in template
    return lambda query, docs: turns(
        made.generate_prompt(result_of(query, docs), rank_start=0, rank_end=len(docs), max_length=300, use_alpha=alpha)
    )


def release(folder, path, variable):
    """rank_llm as it was released; the conversation template is the model's, by its name."""
    fresh(folder / "src")
    module = importlib.import_module("rank_llm.rerank.rank_listwise_os_llm")
    one = object.__new__(module.RankListwiseOSLLM)
    vars(one).update(_model=path, _system_message=SYSTEM, _num_few_shot_examples=0, _variable_passages=variable)
    vars(one).update(_context_size=10**9, _tokenizer=Pieces(), _window_size=20, _output_token_estimate=1)
    return lambda query, docs: one.create_prompt(
        {"query": query, "hits": [{"content": content} for content in contents(docs)]}, 0, len(docs)
    )[0]


def reason_rank(folder, mode):
    import toml

    fresh(folder)
    sys.modules["config"] = SimpleNamespace(WORKSPACE_DIR="", PROJECT_DIR="")
    module = importlib.import_module("rerank.rank_listwise_os_llm")
    one = object.__new__(module.RankListwiseOSLLM)
    vars(one).update(
        args=SimpleNamespace(prompt_mode=mode), prompt_mode=mode, max_passage_length=512, _tokenizer=Pieces()
    )
    vars(one).update(prompt_info=toml.load(folder / "listwise_prompt_r1.toml"))
    return lambda query, docs: json.loads(one.create_prompt(result_of(query, docs), 0, len(docs))[0])


def full_rank(folder):
    fresh(folder)
    sys.modules["config"] = SimpleNamespace(WORKSPACE_DIR="", PROJECT_DIR="")
    module = importlib.import_module("rerank.rank_listwise_os_llm")
    one = object.__new__(module.RankListwiseOSLLM)
    vars(one).update(_model="trained_models/RankMistral100", prompt_mode="rank_GPT", max_passage_length=100)
    vars(one).update(_system_message=SYSTEM, _variable_passages=True, _context_size=10**9, _tokenizer=Pieces())
    vars(one).update(_window_size=100, _output_token_estimate=1, _num_few_shot_examples=0)
    return lambda query, docs: one.create_prompt(result_of(query, docs), 0, len(docs))[0]


def first(folder):
    fresh(folder / "scripts")
    module = importlib.import_module("utils.rank_listwise_os_llm")
    one = object.__new__(module.RankListwiseOSLLM)
    vars(one).update(
        _rerank_type="text", _system_message=SYSTEM[:-1], system_message_supported=True, _tokenizer=Pieces()
    )
    vars(one).update(_num_few_shot_examples=0, _variable_passages=True, _context_size=10**9, _window_size=20)
    vars(one).update(_output_token_estimate=1)
    return lambda query, docs: json.loads(
        one.create_prompt(
            SimpleNamespace(query=query, hits=[{"content": content} for content in contents(docs)]), True, 0, len(docs)
        )[0]
    )


def functions(file, wanted):
    """One name of a file, without running the rest of it."""
    names: dict = {}
    for node in ast.parse(file.read_text()).body:
        name = getattr(node, "name", None) or (isinstance(node, ast.Assign) and node.targets[0].id)
        if name == wanted:
            exec(compile(ast.Module([node], []), str(file), "exec"), names)
    return names


def rank_k(folder):
    """The template and the function that lists passages; texts cut as ``rerank_topic`` does."""
    names = functions(folder / "rerank.py", "rank_k_prompt") | functions(folder / "utils.py", "combine_passages")

    def make(query, docs):
        texts = [f"{title} {text}" if title else text for title, text in docs]
        cut = ["".join(pieces(text)[:450]) for text in texts]
        return [["user", names["rank_k_prompt"].format(query=query, docs=names["combine_passages"](cut))]]

    return make


SYSTEM = "You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query."


def conversation(path):
    """FastChat's template for a model's name, as its adapters choose it (``model_adapter.py``), which need more packages."""
    from fastchat.conversation import get_conv_template

    kinds = {"vicuna": "vicuna_v1.1", "zephyr": "zephyr", "mistral": "mistral"}
    return get_conv_template(next(template for kind, template in kinds.items() if kind in path.lower()))


def readings(folder):
    """Ids (from 1) in the order that each parser gives, tied ones in a list, fifty seeds a digest."""
    fresh(folder / "RankGPT")
    gpt = importlib.import_module("rank_gpt")
    fresh(folder / "rank_llm" / "src")
    llm = importlib.import_module("rank_llm.rerank.listwise.response_utils")
    names = functions(folder / "rank-k" / "rerank.py", "parse_ranking_more")

    def by_gpt(text, n):
        item = {"hits": [{"content": i} for i in range(1, n + 1)]}
        return [hit["content"] for hit in gpt.receive_permutation(item, text, 0, n)["hits"]]

    def by_llm(text, n):
        ids = dict.fromkeys(int(i) for i in llm.clean_ranking_response(text, use_alpha=True).split())
        kept = [i for i in ids if 1 <= i <= n]
        return kept + [i for i in range(1, n + 1) if i not in kept]

    def by_rank_k(text, n):
        scores = names["parse_ranking_more"](text.strip().split("\n")[-1], list(range(1, n + 1)))
        groups = [[i for i in scores if scores[i] == one] for one in sorted(set(scores.values()), reverse=True)]
        return groups + [[i] for i in range(1, n + 1) if i not in scores]

    readers = {"numbers": by_gpt, "letters": by_llm, "tied": by_rank_k}
    return {
        kind: {
            str(n): [digest([read(answer(n, seed, kind), n) for seed in range(start, start + 50)]) for start in BLOCKS]
            for n in SIZES
            if kind != "letters" or n <= LETTERED
        }
        for kind, read in readers.items()
    }


def main(folder):
    for name in EMPTY:
        sys.modules.setdefault(name, Anything(name))
    fastchat = Anything("fastchat.model")
    fastchat.get_conversation_template = conversation
    sys.modules["fastchat.model"] = fastchat
    makers = {
        "rankgpt": lambda: rank_gpt(folder / "RankGPT"),
        "dear": lambda: dear(folder / "DeAR-Reranking"),
        "zephyr": lambda: rank_llm(folder / "rank_llm", "rank_zephyr_template"),
        "zephyr-letters": lambda: rank_llm(folder / "rank_llm", "rank_zephyr_alpha_template"),
        "vicuna": lambda: release(folder / "rank_llm-release", "castorini/rank_vicuna_7b_v1", False),
        "zephyr release": lambda: release(folder / "rank_llm-release", "castorini/rank_zephyr_7b_v1_full", True),
        "full": lambda: full_rank(folder / "fullrank"),
        "first": lambda: first(folder / "llm-reranker"),
        "rank-k": lambda: rank_k(folder / "rank-k"),
        "reason-rank": lambda: reason_rank(folder / "ReasonRank", "rank_GPT_reasoning"),
        "reason-rank-qwen3": lambda: reason_rank(folder / "ReasonRank", "rank_GPT_qwen3"),
        "reason-rank in rank_llm": lambda: rank_llm(folder / "rank_llm", "reasonrank_template"),
    }
    found = {"commits": COMMITS}
    for name, maker in makers.items():
        make = maker()
        lettered = name in ("first", "zephyr-letters")
        found[name] = {
            case: digest(make(query, docs))
            for case, (query, docs) in cases().items()
            if not lettered or len(docs) <= LETTERED
        }
    found["readings"] = readings(folder)
    Path(__file__).with_name("permutation_prompts.json").write_text(json.dumps(found, indent=1) + "\n")
    print({name: len(digests) for name, digests in found.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
