"""Record what llm-rankers, pygaggle and rank_llm ask and answer when the model is a judge of ``cases_a``.

    python tests/published/record_llm_rankers.py CLONE_OF_llm-rankers CLONE_OF_rank_llm > tests/published/llm_rankers.json

The clones are https://github.com/ielab/llm-rankers and https://github.com/castorini/rank_llm. Their modules are imported as they
are; what they import in turn (torch, transformers, …) is replaced by empty modules, and the method that asks the model by a judge.
"""

import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

from cases_a import KINDS, SEEDS, SIZES, digest, first_stage, place, scores

SETWISE = ((1, 3), (2, 1), (2, 10), (2, 200), (3, 10), (5, 4), (9, 10), (19, 10), (19, 200))
PAIRED = (1, 3, 10)
ALL_PAIRS = SIZES[:-1]
CHILDREN = (2, 3, 9, 19)
LISTS = {"random": 300, "sorted": 100}
EXAMPLE = [9.0, 1.0, 8.0, 2.0, 7.0]


class Anything(types.ModuleType):
    """A module that has whatever is looked for, a class each."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def stubbed(*names):
    for name in names:
        module = Anything(name)
        module.__path__ = []
        sys.modules[name] = module


def loaded(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def commit(path):
    return subprocess.run(
        ["git", "-C", path, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


class Judged:
    """In place of a model: notes what is shown, answers as the judge does."""

    def __init__(self, method, children, k):
        self.method, self.num_child, self.k, self.batch_size = method, children, k, 10**9
        self.prompt = "{doc1} {doc2}"
        self.asked = []

    def begin(self, kind, seed, known=None):
        self.kind, self.seed, self.known, self.asked = kind, seed, known, []

    def picked(self, shown):
        self.asked.append(shown)
        if self.known and shown:
            return max(range(len(shown)), key=lambda at: self.known[shown[at]])
        return place(self.kind, self.seed, shown) if shown else 0


def setwise_ranker(module):
    class Ranker(Judged, module.SetwiseLlmRanker):
        def compare(self, query, docs):
            at = self.picked([int(doc.docid) for doc in docs])
            return "?" if at is None else self.CHARACTERS[at]

    return Ranker


def pairwise_ranker(module):
    class Batch(list):
        shape = (1, 1)
        to = cpu = numpy = __getitem__ = lambda self, *_: self

    class Ranker(Judged, module.PairwiseLlmRanker):
        decoder_input_ids = Batch()

        def compare(self, query, docs):
            names = {0: "Passage A", 1: "Passage B", None: "?"}
            return [names[self.picked([int(one) for one in shown])] for shown in (docs, docs[::-1])]

        @property
        def llm(self):
            return types.SimpleNamespace(device=None, generate=self.generated)

        def generated(self, prompts, **_):
            return Batch(self.compare("", prompt.split(" "))[0] for prompt in prompts)

        @property
        def tokenizer(self):
            return types.SimpleNamespace(batch_decode=lambda outputs, **_: outputs)

    def compare_once(self, query, docs):
        names = {0: "Passage A", 1: "Passage B", None: "?"}
        return [names[self.picked([int(one) for one in docs])]]

    class AllPairs(Ranker):
        compare = compare_once

    module.Text2TextGenerationDataset = lambda prompts, tokenizer: prompts
    module.DataLoader = lambda prompts, **_: [{"input_ids": Batch(prompts)}] if prompts else []
    module.DataCollatorWithPadding = lambda *_, **__: None
    module.tqdm = lambda things, **_: things
    return Ranker, AllPairs


def plain_bubble(kind, seed, n, children, k):
    """The sort that is commented out in ``setwise.py``, ended before it asks about fewer than two: its top and what it asks."""
    order, asked = list(range(n)), set()
    for top in range(min(k, n - 1)):
        start, end = n - (children + 1), n
        while True:
            start = max(start, top)
            asked.add(tuple(order[start:end]))
            at = place(kind, seed, order[start:end]) or 0
            order[start], order[start + at] = order[start + at], order[start]
            if start == top:
                break
            start, end = start - children, end - children
    return order[:k], asked


def cases():
    return [(kind, seed) for kind in KINDS for seed in SEEDS]


def main(llm_rankers, rank_llm):
    stubbed(
        "torch", "torch.utils", "torch.utils.data", "transformers", "openai", "tiktoken", "tqdm", "vllm", "vllm.lora",
        "vllm.lora.request",
    )  # fmt: skip
    package = types.ModuleType("llmrankers")
    package.__path__ = [str(Path(llm_rankers) / "llmrankers")]
    sys.modules["llmrankers"] = package
    setwise = loaded("llmrankers.setwise", Path(llm_rankers) / "llmrankers/setwise.py")
    pairwise = loaded("llmrankers.pairwise", Path(llm_rankers) / "llmrankers/pairwise.py")
    result_of = sys.modules["llmrankers.rankers"].SearchResult
    ranker_of = setwise_ranker(setwise)
    pair_ranker, all_pairs = pairwise_ranker(pairwise)
    told = {"repositories": {"ielab/llm-rankers": commit(llm_rankers), "castorini/rank_llm": commit(rank_llm)}}

    def run(ranker, n):
        docs = [result_of(docid=str(i), score=0.0, text=str(i)) for i in range(n)]
        return [int(doc.docid) for doc in ranker.rerank("q", docs)]

    for c, k in SETWISE:
        for n in SIZES:
            heap = ranker_of("heapsort", c, k)
            results = []
            for kind, seed in cases():
                heap.begin(kind, seed)
                order = run(heap, n)
                results.append([sorted(set(map(tuple, heap.asked))), order])
            told[f"setwise heapsort c={c} k={k} n={n}"] = digest(results)
    wrong = {}
    for c, k in SETWISE:
        for n in SIZES:
            bubble = ranker_of("bubblesort", c, k)
            results, off, tiny = [], [], 0
            for at, (kind, seed) in enumerate(cases()):
                bubble.begin(kind, seed)
                order = run(bubble, n)
                asked = {tuple(shown) for shown in bubble.asked if len(shown) > 1}
                tiny += sum(len(shown) < 2 for shown in bubble.asked)
                if (order[:k], asked) == plain_bubble(kind, seed, n, c, k):
                    results.append([sorted(asked), order])
                else:
                    off.append(at)
            told[f"setwise bubblesort c={c} k={k} n={n}"] = digest(results)
            if off or tiny:
                wrong[f"c={c} k={k} n={n}"] = [off, tiny]
    told["setwise bubblesort wrong"] = wrong
    for k in PAIRED:
        for n in SIZES:
            for method in ("heapsort", "bubblesort"):
                ranker = pair_ranker(method, 0, k)
                results = []
                for kind, seed in cases():
                    ranker.begin(kind, seed)
                    order = run(ranker, n)
                    top = order if method == "heapsort" else order[:k]
                    results.append([sorted(set(map(tuple, ranker.asked))), top])
                told[f"pairwise {method} k={k} n={n}"] = digest(results)
    for n in ALL_PAIRS:
        results = []
        for kind, seed in cases():
            given = {}

            def noted(docid, score, text, given=given):
                given.setdefault(int(docid), score)
                return result_of(docid, score, text)

            ranker = all_pairs("allpair", 0, 0)
            ranker.begin(kind, seed)
            pairwise.SearchResult = noted
            docs = [result_of(docid=str(i), score=0.0, text=str(i)) for i in range(n)]
            ranker.rerank("q", docs)
            wins = [max(given[i], 0.0) for i in range(n)]  # who never scored is known by a negative rank only
            results.append([ranker.asked, wins])
        told[f"pairwise allpair n={n}"] = digest(results)
    bubble = ranker_of("bubblesort", 2, 3)
    bubble.begin("", 0, EXAMPLE)
    told["setwise bubblesort example"] = run(bubble, len(EXAMPLE))

    def counted(ranker):
        """In all lists of a kind: calls, those that are not repetitions, lists whose top 10 is wrong."""
        counts = {}
        for name, many in LISTS.items():
            calls = distinct = wrong = 0
            for seed in range(many):
                known = first_stage(name, seed)
                ranker.begin("", 0, known)
                order = run(ranker, len(known))
                calls, distinct = calls + len(ranker.asked), distinct + len(set(map(tuple, ranker.asked)))
                wrong += order[:10] != sorted(range(len(known)), key=lambda i: -known[i])[:10]
            counts[name] = [calls, distinct, wrong]
        return counts

    for method in ("heapsort", "bubblesort"):
        told[f"calls pairwise {method}"] = counted(pair_ranker(method, 0, 10))
        for c in CHILDREN:
            told[f"calls setwise {method} c={c}"] = counted(ranker_of(method, c, 10))
    told |= rank_llm_pairs(rank_llm)
    print(json.dumps(told, indent=0))


def rank_llm_pairs(path):
    """``PairwiseRankLLM.rerank_batch`` with a judge's share of the first as the probability."""
    for name in ("rank_llm", "rank_llm.data", "rank_llm.rerank", "rank_llm.rerank.rankllm"):
        stubbed(name)
    sys.modules["rank_llm.data"].Result = types.SimpleNamespace
    module = loaded("rank_llm.rerank.pairwise", Path(path) / "src/rank_llm/rerank/pairwise/pairwise_rankllm.py")

    class Bar:
        def __init__(self, **_):
            self.update = lambda _: None

        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731

    module.tqdm = Bar

    class Ranker(module.PairwiseRankLLM):
        _batch_size = 32

        def __init__(self, kind, seed):
            self.kind, self.seed, self.asked = kind, seed, []

        def create_prompt(self, result, index1, index2):
            return [index1, index2], 0

        def run_llm_batched(self, prompts):
            self.asked += prompts
            return None, None, [first_share(self.kind, self.seed, shown) for shown in prompts]

    for abstract in list(getattr(Ranker, "__abstractmethods__", ())):
        setattr(Ranker, abstract, lambda self, *_: None)
    Ranker.__abstractmethods__ = frozenset()
    told = {}
    for n in ALL_PAIRS:
        results = []
        for kind, seed in cases():
            ranker = Ranker(kind, seed)
            request = types.SimpleNamespace(
                query="q", candidates=[types.SimpleNamespace(score=0.0, at=i) for i in range(n)]
            )
            (result,) = ranker.rerank_batch([request])
            results.append([ranker.asked, [one.at for one in result.candidates]])
        told[f"rank_llm pairs n={n}"] = digest(results)
    return told


def first_share(kind, seed, shown):
    """A probability in eighths, so that sums are exact in any order."""
    given = scores(kind, seed, shown)
    return 0.5 if given is None else round(8 * given[0] / (given[0] + given[1])) / 8


if __name__ == "__main__":
    main(*sys.argv[1:])
