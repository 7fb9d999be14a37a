"""Record what published rerankers that compare ask, and how they read well-formed answers, by running their own code.

    python tests/published/record_comparing_prompts.py CLONES

``CLONES`` holds clones named as the repositories are: llm-rankers, LLM-RankFusion, Diver, IRanker, pygaggle, TourRank. What
they import beyond the standard library is replaced by stubs; their tokenizers and clients by ones that keep what they are given.
Writes ``comparing_prompts.json`` beside this file.
"""

import ast
import contextlib
import importlib.util
import io
import json
import subprocess
import sys
import tomllib
import types
from pathlib import Path

from cases_comparing_prompts import ANSWERS, CASES, EXAMPLES, case, digest

HERE = Path(__file__).parent
COMMITS = {
    "llm-rankers": ("ielab/llm-rankers", "b36517bf17a3956dc56c4c967f972d02390b1cdd"),
    "LLM-RankFusion": ("XHMY/LLM-RankFusion", "3cff45b0bdb0c902e9902731779d9a05081f0050"),
    "Diver": ("AQ-MedAI/Diver", "95b111b0adad85bf388e628b9073552055f6f408"),
    "IRanker": ("ulab-uiuc/IRanker", "f32eb9eec753b69f4ba915a9dd9832601d5949b4"),
    "pygaggle": ("castorini/pygaggle", "08339dd31f58ef40fbaa109726402e164eeba125"),
    "TourRank": ("chenyiqun/TourRank", "bab7db3510eb9a0b7c78112ce7fe002a36144ea8"),
}
"""Folder → repository and commit that the recorded file was made from."""


class Kept(Exception):
    """Carries what a stub was given out of the published code."""


class Stub(types.ModuleType):
    """A module, class and value in one: any attribute is another one, any call gives one."""

    def __init__(self, name="stub"):
        super().__init__(name)
        self.__path__ = []
        self.__file__ = "stub"

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        made = type(name, (Exception,), {}) if name.endswith(("Error", "Unavailable", "Timeout")) else Stub(name)
        setattr(self, name, made)
        return made

    def __call__(self, *args, **kwargs):
        return args[0] if len(args) == 1 and callable(args[0]) else Stub()

    def __mro_entries__(self, bases):
        return (object,)

    def __getitem__(self, key):
        return Stub()

    def __or__(self, other):
        return self


class Loader:
    """Gives stubs for what is not of the standard library."""

    def __init__(self, own):
        self.own = own

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in self.own:
            return None
        return importlib.util.spec_from_loader(name, self)

    def create_module(self, spec):
        return Stub(spec.name)

    def exec_module(self, module):
        pass


def load(clone, path, own=()):
    """A module of a clone, with stubs for all that is foreign."""
    sys.path.insert(0, str(clone))
    loader = Loader({*own})
    sys.meta_path.insert(0, loader)
    try:
        name = path.removesuffix(".py").replace("/", ".")
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(loader)
        sys.path.remove(str(clone))


class Tokenizer:
    """Keeps what it is asked to tokenise; a conversation is handed on as JSON."""

    def __call__(self, texts, **kwargs):
        raise Kept(texts)

    def batch_encode_plus(self, texts, **kwargs):
        raise Kept(texts)

    def apply_chat_template(self, conversation, **kwargs):
        return json.dumps([[turn["role"], turn["content"]] for turn in conversation])


def kept(call, *args, **kwargs):
    """What a stub was given during a call."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            call(*args, **kwargs)
    except Kept as found:
        return found.args[0]
    raise AssertionError("nothing was asked")


def turns_of(text):
    """A conversation as JSON, and what stands behind it, as turns."""
    found, end = json.JSONDecoder().raw_decode(text)
    return [tuple(turn) for turn in found] + ([("assistant", text[end:])] if text[end:] else [])


def bare(cls, **values):
    """An object of a class without its ``__init__``."""
    made = object.__new__(cls)
    made.__dict__.update(
        {"total_compare": 0, "total_prompt_tokens": 0, "num_permutation": 1, "device": "cpu", **values}
    )
    return made


def openai_client(module):
    """Have ``openai.ChatCompletion.create`` keep its messages."""

    def create(**kwargs):
        raise Kept([(turn["role"], turn["content"]) for turn in kwargs["messages"]])

    module.openai.ChatCompletion.create = create


def of_llm_rankers(clone):
    setwise, pairwise = (load(clone, f"llmrankers/{name}.py", ("llmrankers",)) for name in ("setwise", "pairwise"))
    result = setwise.SearchResult
    openai_client(setwise)
    openai_client(pairwise)
    prompts = {
        version: tomllib.loads((clone / "Rank-R1" / "prompts" / name).read_text("utf-8"))
        for version, name in (("0.1", "prompt_setwise-R1.toml"), ("direct", "prompt_setwise.toml"))
    }
    later = tomllib.loads((clone / "Rank-R1" / "prompts" / "prompt_setwise-R1-v0.2.toml").read_text("utf-8"))
    template = pair_template(clone / "llmrankers" / "pairwise.py", "PairwiseLlmRanker")
    closed = pair_template(clone / "llmrankers" / "pairwise.py", "OpenAiPairwiseLlmRanker")
    system = pair_template(clone / "llmrankers" / "pairwise.py", "OpenAiPairwiseLlmRanker", "system_prompt")
    told = pair_template(clone / "llmrankers" / "setwise.py", "OpenAiSetwiseLlmRanker", "system_prompt")

    def chat(messages, **kwargs):
        raise Kept([(turn["role"], turn["content"]) for turn in messages[0]])

    def rank_r1(prompt, query, docs):
        ranker = bare(setwise.RankR1SetwiseLlmRanker, prompt=prompt, lora_path=None, sampling_params=None)
        ranker.llm = types.SimpleNamespace(chat=chat)
        setwise.random.sample = lambda items, k: list(items)
        return kept(ranker.compare, query, docs)

    def later_r1(query, docs):
        """``create_dataset_v0.2.py``, whose code is a script over a downloaded data set."""
        laid = later["doc_separator"].join(
            f"{later['doc_prefix'].format(num=i + 1)}{doc}" for i, doc in enumerate(docs)
        )
        return [("system", later["prompt_system"]), ("user", later["prompt_user"].format(query=query, docs=laid))]

    def asked(query, texts):
        docs = [result(docid=str(i), text=text, score=0.0) for i, text in enumerate(texts)]
        of_kind = {kind: types.SimpleNamespace(model_type=kind) for kind in ("t5", "llama")}
        base = {"tokenizer": Tokenizer(), "scoring": "generation"}
        one = bare(setwise.SetwiseLlmRanker, config=of_kind["t5"], **base)
        llama = bare(setwise.SetwiseLlmRanker, config=of_kind["llama"], **base)
        gpt = bare(setwise.OpenAiSetwiseLlmRanker, llm="gpt", system_prompt=told)
        pair = [text for text in texts[:2]]
        raw = bare(pairwise.PairwiseLlmRanker, config=of_kind["t5"], prompt=template, **base)
        begun = bare(pairwise.PairwiseLlmRanker, config=of_kind["llama"], prompt=template, **base)
        gpt_pair = bare(pairwise.OpenAiPairwiseLlmRanker, llm="gpt", system_prompt=system, prompt=closed)
        duo = bare(pairwise.DuoT5LlmRanker, **base)
        return {
            "setwise raw": [("", kept(one.compare, query, docs))],
            "setwise begun": turns_of(kept(llama.compare, query, docs)),
            "setwise chat": kept(gpt.compare, query, docs),
            "rank-r1 0.1": rank_r1(prompts["0.1"], query, docs),
            "rank-r1 direct": rank_r1(prompts["direct"], query, docs),
            "rank-r1 0.2": later_r1(query, texts),
            "prp raw": [("", kept(raw.compare, query, pair)[0])],
            "prp raw turned": [("", kept(raw.compare, query, pair)[1])],
            "prp begun": turns_of(kept(begun.compare, query, pair)[0]),
            "prp chat": kept(gpt_pair.compare, query, pair),
            "duot5 of llm-rankers": [("", kept(duo.compare, query, pair)[0])],
        }

    return asked


def read_by_llm_rankers(clone):
    """What ``compare`` makes of ``ANSWERS``, for three passages, or two."""
    setwise, pairwise = (load(clone, f"llmrankers/{name}.py", ("llmrankers",)) for name in ("setwise", "pairwise"))
    docs = [setwise.SearchResult(docid=str(i), text="x", score=0.0) for i in range(3)]
    pattern = tomllib.loads((clone / "Rank-R1" / "prompts" / "prompt_setwise-R1.toml").read_text("utf-8"))
    one = types.SimpleNamespace

    def answered(text):
        def create(**kwargs):
            return {"usage": {"completion_tokens": 1, "prompt_tokens": 1}, "choices": [{"message": {"content": text}}]}

        setwise.openai.ChatCompletion.create = pairwise.openai.ChatCompletion.create = create
        output = one(outputs=[one(text=text, token_ids=[])], prompt_token_ids=[])
        llm = one(chat=lambda *args, **kwargs: [output])
        best = bare(setwise.OpenAiSetwiseLlmRanker, llm="gpt", system_prompt="", total_completion_tokens=0)
        pair = bare(
            pairwise.OpenAiPairwiseLlmRanker,
            llm="gpt",
            system_prompt="",
            prompt="",
            total_completion_tokens=0,
            CHARACTERS=["A", "B"],
        )
        thinks = bare(
            setwise.RankR1SetwiseLlmRanker, prompt=pattern, llm=llm, lora_path=None, sampling_params=None, verbose=False,
            total_completion_tokens=0,
        )  # fmt: skip
        return {"setwise": best, "prp": pair, "rank-r1": thinks}

    found = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for name, texts in ANSWERS.items():
            rows = [[text, answered(text)[name].compare("q", docs[:2] if name == "prp" else docs)] for text in texts]
            found[name] = [[text, said[0] if name == "prp" else said] for text, said in rows]
    return found


def pair_template(path, name, field="prompt"):
    """The string that a class of a file sets as ``self.<field>`` in its ``__init__``."""
    (found,) = [node for node in ast.parse(path.read_text("utf-8")).body if getattr(node, "name", "") == name]
    for node in ast.walk(found):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "attr", "") == field:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{name} sets no {field}")


class Frame(list):
    """As much of a data frame as ``create_icl`` asks for."""

    @property
    def iloc(self):
        return self

    def __getitem__(self, key):
        if key == "relevance":
            return Column(row.relevance for row in self)
        if isinstance(key, list):
            return Frame(row for row, keep in zip(self, key, strict=True) if keep)
        return super().__getitem__(key)


class Column(list):
    """A column that compares with a value."""

    __hash__ = None

    def __eq__(self, value):
        return [one == value for one in self]


def of_rank_fusion(clone):
    module = load(clone, "rankers/pairwise.py", ("rankers",))
    path = clone / "rankers" / "pairwise.py"
    template = pair_template(path, "PairwiseLlmRanker")
    letter, system = (pair_template(path, "OpenAiPairwiseLlmRanker", name) for name in ("prompt", "system_prompt"))
    row = types.SimpleNamespace
    rows = [row(relevance=rel, query_text=EXAMPLES[0][0], passage_text=EXAMPLES[0][at]) for rel, at in ((3, 1), (2, 2))]
    module.pd.read_json = lambda path: Frame(rows)
    args = row(
        enable_icl=True, icl_num=1, icl_flipgt=False, icl_relevance_gap=1, icl_example_path="", use_preference_cache=False
    )  # fmt: skip

    def create(**kwargs):
        raise Kept([(turn["role"], turn["content"]) for turn in kwargs["messages"]])

    def asked(query, texts):
        base = {"tokenizer": Tokenizer(), "args": args, "temperature": 0, "do_sample": False}
        begun = bare(
            module.PairwiseLlmRanker,
            prompt=template,
            model_name_or_path="Llama-Instruct",
            config=row(model_type="llama"),
            **base,
        )
        raw = bare(
            module.PairwiseLlmRanker, prompt=template, model_name_or_path="flan", config=row(model_type="t5"), **base
        )
        gpt = bare(module.OpenAiPairwiseLlmRanker, prompt=letter, system_prompt=system, llm="gpt", **base)
        gpt.client = row(create=create)
        for ranker in (begun, raw, gpt):
            ranker.create_icl(args)
        first = letter.format(query=query, doc1=texts[0], doc2=texts[1])
        return {
            "rankfusion begun": turns_of(kept(begun.compare, 1, query, ["a", "b"], texts[:2])[0]),
            "rankfusion raw": [("", kept(raw.compare, 1, query, ["a", "b"], texts[:2])[0])],
            "rankfusion letter": kept(gpt._get_response, first, history=gpt.icl_message),
        }

    return asked


def of_group_rank(clone):
    module = load(clone, "Reranker/rerank_groupwise.py", ("Reranker",))
    module.random.shuffle = lambda items: None
    ranker = module.GroupReranker("model")
    ranker.tokenizer = Tokenizer()

    def asked(query, texts):
        docs = {"q": [{"id": str(i), "text": text} for i, text in enumerate(texts)]}
        messages, _ = ranker.prepare_groups_one_epoch([{"qid": "q", "query": query}], docs, 100)
        return {"group-rank": turns_of(messages[0])}

    answers = [
        '<reason>a</reason>\n<answer>\n```json\n{"[1]": 5, "[2]": 3, "[3]": 8}\n```\n</answer>',
        '<reason>[1] {"[1]": 9}</reason><answer> {"[1]": 0, "[2]": 10, "[3]": 7} </answer>',
        '<reason>a</reason>\n<answer>\n```json\n{"[1]]": 5, "[2]": 3, "[3]": 8\n```\n</answer>',
    ]
    return asked, [[answer, [ranker._extract_rerank_output(answer)[f"[{i}]"] for i in (1, 2, 3)]] for answer in answers]


def of_iranker(clone):
    module = load(clone, "eval/eval_passage.py", ("eval",))
    prefix = load(clone, "examples/data_preprocess/iterative_data_generation.py", ("examples",)).make_prefix
    source = (clone / "examples/data_preprocess/dataset/data_ms_marco/process_passage.py").read_text("utf-8")
    template = next(
        ast.literal_eval(node.value) for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "exclusion_template"
    )  # fmt: skip

    def asked(query, texts):
        docs = {f"passage {i}": text for i, text in enumerate(texts)}
        shown = "\n".join(f"{name}: {text}" for name, text in docs.items())
        problem = template.format(query=query, formatted_passages=shown)
        return {
            "iranker run": [("", module.get_prompt("Passage-5", query, docs))],
            "iranker training": [("", prefix({"problem": problem}))],
        }

    answers = [
        "<think>a</think>\n<answer>\npassage 1\n</answer>",
        "so</think><answer> passage 0 </answer> <answer>passage 2</answer>",
    ]
    return asked, [[answer, module.extract_solution(answer)] for answer in answers]


def of_pygaggle(clone):
    path = clone / "pygaggle" / "model" / "tokenize.py"
    loader = Loader(set())
    sys.meta_path.insert(0, loader)
    try:
        spec = importlib.util.spec_from_file_location("pygaggle_tokenize", path)
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.meta_path.remove(loader)

    def asked(query, texts):
        batcher = module.T5DuoBatchTokenizer(Tokenizer(), 1)
        one = types.SimpleNamespace
        pairs = module.DuoQueryDocumentBatch(one(text=query), [(one(text=texts[0]), one(text=texts[1]))])
        return {"duot5": [("", kept(lambda: list(batcher.traverse_duo_query_document(pairs)))[0])]}

    return asked


def of_tourrank(clone):
    module = load(clone, "TourRank_multiprocessing.py", ("TourRank_multiprocessing",))
    module.random.shuffle = lambda items: None

    def keep(messages):
        raise Kept([(turn["role"], turn["content"]) for turn in messages])

    module.get_response = keep

    def asked(query, texts):
        ids = list(range(len(texts)))
        return {"selection": kept(module.group_processing, ids, query, len(ids), max(len(ids) // 2, 1), texts, [])}

    answers = ["Document 3, Document 1", "Sure:\nDocument 2, Document 4", "Document 1, Document 2."]
    return asked, [[answer, module.get_top_M(answer, 4, 2, [0, 1, 2, 3])] for answer in answers]


def main(clones):
    for name, (_, commit) in COMMITS.items():
        folder = clones / name / ".git"
        if folder.exists():
            head = subprocess.run(
                ["git", "-C", str(clones / name), "rev-parse", "HEAD"], capture_output=True, text=True
            )
            assert head.stdout.strip() == commit, f"{name} is at {head.stdout.strip()}, not at {commit}"
    group_rank, grades = of_group_rank(clones / "Diver")
    iranker, excluded = of_iranker(clones / "IRanker")
    tourrank, picked = of_tourrank(clones / "TourRank")
    families = [
        of_llm_rankers(clones / "llm-rankers"), of_rank_fusion(clones / "LLM-RankFusion"), group_rank, iranker,
        of_pygaggle(clones / "pygaggle"), tourrank,
    ]  # fmt: skip
    digests = {}
    for seed in range(CASES):
        query, texts = case(seed)
        for family in families:
            for name, turns in family(query, texts).items():
                digests.setdefault(name, []).append(digest(turns))
    recorded = {
        "repositories": {repository: commit for repository, commit in COMMITS.values()},
        "prompts": digests,
        "answers": {
            "group-rank": grades,
            "iranker": excluded,
            "selection": picked,
            **read_by_llm_rankers(clones / "llm-rankers"),
        },
    }
    (HERE / "comparing_prompts.json").write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
