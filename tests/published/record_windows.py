"""Record the windows that RankGPT, llm-rankers and rank_llm show to a judge of ``cases_a``, and the order they end with.

    python tests/published/record_windows.py RankGPT llm-rankers rank_llm > tests/published/windows.json

with the paths of clones of https://github.com/sunnweiwei/RankGPT, ielab/llm-rankers and castorini/rank_llm. Their loops and their
reading of an answer run as they are; the prompt becomes the documents' ids and the model a judge.
"""

import asyncio
import json
import sys
import types
from pathlib import Path

from cases_a import SIZES, digest, order
from record_llm_rankers import cases, commit, loaded, stubbed

WINDOWS = ((20, 10, 1), (20, 10, 3), (10, 5, 1), (4, 2, 5), (7, 3, 2), (20, 15, 1), (100, 50, 1))


def answered(kind, seed, shown):
    """An answer's text; with fewer ids than documents where the judge is not readable."""
    return " > ".join(f"[{at + 1}]" for at in order(kind, seed, shown))


def rank_gpt(path):
    module = loaded("rank_gpt", Path(path) / "rank_gpt.py")

    def ran(kind, seed, n, size, stride, passes):
        asked = []

        def shown(item, rank_start, rank_end, model_name):
            return [int(hit["docid"]) for hit in item["hits"][rank_start:rank_end]]

        def told(messages, **_):
            asked.append(messages)
            return answered(kind, seed, messages)

        module.create_permutation_instruction, module.run_llm = shown, told
        item = {"hits": [{"docid": str(i), "content": str(i)} for i in range(n)]}
        for _ in range(passes):
            item = module.sliding_windows(item, rank_start=0, rank_end=n, window_size=size, step=stride)
        return asked, [int(hit["docid"]) for hit in item["hits"]]

    return ran


def llm_rankers(path):
    package = types.ModuleType("llmrankers")
    package.__path__ = [str(Path(path) / "llmrankers")]
    sys.modules["llmrankers"] = package
    module = loaded("llmrankers.listwise", Path(path) / "llmrankers/listwise.py")
    result_of = sys.modules["llmrankers.rankers"].SearchResult

    class Ranker(module.OpenAiListwiseLlmRanker):
        def __init__(self, kind, seed, size, stride, passes):
            self.kind, self.seed, self.asked = kind, seed, []
            self.window_size, self.step_size, self.num_repeat = size, stride, passes

        def compare(self, query, docs):
            self.asked.append([int(doc.docid) for doc in docs])
            return answered(self.kind, self.seed, self.asked[-1])

    def ran(kind, seed, n, *window):
        ranker = Ranker(kind, seed, *window)
        results = ranker.rerank("q", [result_of(docid=str(i), score=0.0, text=str(i)) for i in range(n)])
        return ranker.asked, [int(doc.docid) for doc in results]

    return ran


def rank_llm(path):
    """Its two loops: one query at a time, and the asynchronous one."""
    for name in (
        "rank_llm",
        "rank_llm.data",
        "rank_llm.rerank",
        "rank_llm.rerank.listwise",
        "rank_llm.rerank.rankllm",
        "rank_llm.utils",
    ):
        stubbed(name)
    sys.modules["rank_llm.data"].Result = lambda **parts: types.SimpleNamespace(**parts)
    folder = Path(path) / "src/rank_llm/rerank/listwise"
    loaded("rank_llm.rerank.listwise.response_utils", folder / "response_utils.py")
    module = loaded("rank_llm.rerank.listwise.listwise_rankllm", folder / "listwise_rankllm.py")
    module.tqdm = lambda **_: types.SimpleNamespace(update=lambda _: None, close=lambda: None)
    module.InferenceInvocation = lambda *_, **__: None

    class Ranker(module.ListwiseRankLLM):
        _use_alpha, _batch_size = False, 1
        _inference_handler = types.SimpleNamespace(
            template={"output_validation_regex": "", "output_extraction_regex": ""}
        )

        def __init__(self, kind, seed, size, stride):
            self.kind, self.seed, self.asked = kind, seed, []
            self._window_size, self._stride = size, stride

        def create_prompt(self, result, rank_start, rank_end):
            return [one.at for one in result.candidates[rank_start:rank_end]], 0

        def run_llm(self, prompt, current_window_size=None):
            self.asked.append(prompt)
            return answered(self.kind, self.seed, prompt), 0

        async def run_llm_async(self, prompt, current_window_size=None):
            return self.run_llm(prompt)

    Ranker.__abstractmethods__ = frozenset()

    def request_of(ats):
        return types.SimpleNamespace(query="q", candidates=[types.SimpleNamespace(at=at, score=None) for at in ats])

    def in_turn(kind, seed, n, size, stride, passes):
        ranker, now = Ranker(kind, seed, size, stride), list(range(n))
        for _ in range(passes):
            done = ranker.sliding_windows(request_of(now), 0, min(100, n), top_k_retrieve=100)
            now = [one.at for one in done.candidates]
        return ranker.asked, now

    def together(kind, seed, n, size, stride, passes):
        ranker, now = Ranker(kind, seed, size, stride), list(range(n))
        for _ in range(passes):
            (done,) = asyncio.run(
                ranker._sliding_windows_batched_async([request_of(now)], 0, 100, 100, isolate_llm_slots=True)
            )
            now = [one.at for one in done.candidates]
        return ranker.asked, now

    return in_turn, together


def main(gpt, rankers, llm):
    told = {
        "repositories": {
            "sunnweiwei/RankGPT": commit(gpt), "ielab/llm-rankers": commit(rankers), "castorini/rank_llm": commit(llm),
        }
    }  # fmt: skip
    stubbed("torch", "transformers", "openai", "tiktoken", "tqdm")
    in_turn, together = rank_llm(llm)
    loops = {
        "RankGPT": rank_gpt(gpt),
        "llm-rankers": llm_rankers(rankers),
        "rank_llm": in_turn,
        "rank_llm async": together,
    }
    for name, ran in loops.items():
        for window in WINDOWS:
            for n in SIZES:
                results, calls, head = [], 0, True
                for case in cases():
                    asked, ended = ran(*case, n, *window)
                    calls += len(asked)
                    head = head and any(0 in shown for shown in asked)
                    results.append([asked if window[2] == 1 else sorted(asked), ended])
                told[f"{name} {window} n={n}"] = [digest(results), calls // len(cases()), head]
    print(json.dumps(told, indent=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
