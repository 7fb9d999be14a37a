"""Record what E2Rank's authors' code embeds and how it ranks: ``python record_e2rank.py CLONE`` writes ``e2rank.json``.

``CLONE`` is a clone of https://github.com/Alibaba-NLP/E2Rank. The model is replaced by one that has a vector for any text
(``cases_e2rank``); needs torch and numpy, no weights.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

from cases_e2rank import BLOCK, BLOCKS, SIZES, case, chat, digest, vector

STUBS = ("datasets", "vllm", "vllm.config", "llm4ranking", "llm4ranking.ranker", "llm4ranking.evaluation", "tqdm",
         "llm4ranking.evaluation.trec_eval")  # fmt: skip


class Recorded:
    """Stands in for the model: remembers what it embeds."""

    def __init__(self):
        self.seen = []

    def get_tokenizer(self):
        return SimpleNamespace(apply_chat_template=lambda messages, **_: chat(messages[0]["content"]))

    def embed(self, texts, **_):
        texts = [texts] if isinstance(texts, str) else texts
        self.seen += texts
        return [SimpleNamespace(outputs=SimpleNamespace(embedding=vector(text))) for text in texts]


def evaluation(clone):
    """``src/eval.py`` as a module, what it imports replaced."""
    for name in STUBS:
        module = ModuleType(name)
        module.__getattr__ = lambda _: MagicMock()
        sys.modules.setdefault(name, module)
    spec = importlib.util.spec_from_file_location("e2rank_eval", clone / "src/eval.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def card_prompt(clone):
    """The model card's ``get_listwise_prompt``, taken from ``README.md``."""
    text = (clone / "README.md").read_text("utf-8")
    source = re.search(r"^def get_listwise_prompt.*?^    return text$", text, re.MULTILINE | re.DOTALL).group()
    space = {"tokenizer": Recorded().get_tokenizer()}
    exec(source, space)
    return space["get_listwise_prompt"]


def main(clone):
    module, listwise = evaluation(clone), card_prompt(clone)
    task = "Given a web search query and some relevant documents, rerank the documents that answer the query:"
    blocks, cards = {}, {}
    for n in SIZES:
        for block in range(BLOCKS):
            evaluated, carded = [], []
            for seed in range(block * BLOCK, (block + 1) * BLOCK):
                query, docs = case(n, seed)
                model = Recorded()
                order = module.EvalModel(model)(query, docs)
                evaluated.append([model.seen, order])
                carded.append(listwise(task, query, [doc + "<|endoftext|>" for doc in docs]))
            blocks[f"{n}/{block}"], cards[f"{n}/{block}"] = digest(evaluated), digest(carded)
    commit = subprocess.run(["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    about = {"repository": "Alibaba-NLP/E2Rank", "commit": commit.stdout.strip(), "evaluation": blocks, "card": cards}
    (Path(__file__).parent / "e2rank.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
