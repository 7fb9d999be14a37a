"""Record what ColBERT's authors' code reads and how it scores: ``python record_colbert.py CLONE`` writes ``colbert.json``.

``CLONE`` is a clone of https://github.com/stanford-futuredata/ColBERT. Its tokenizers, its model and its MaxSim run on a tiny
checkpoint (``cases_colbert``) and on vectors made up; needs torch and
transformers 4 (5 does not load their class), no weights.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

from cases_colbert import LENGTH, checkpoint, texts, vectors


def published(clone):
    """The authors' classes; packages that only their indexing and training need are replaced."""
    sys.path.insert(0, str(clone))
    for name in ("git", "ujson", "faiss", "bitarray", "tqdm"):
        try:
            __import__(name)
        except ImportError:
            module = ModuleType(name)
            module.__spec__ = ModuleSpec(name, None)
            module.__getattr__ = lambda _: MagicMock()
            sys.modules[name] = json if name == "ujson" else module
    from colbert.infra import ColBERTConfig
    from colbert.modeling.colbert import ColBERT, colbert_score
    from colbert.modeling.tokenization import DocTokenizer, QueryTokenizer

    ColBERT.loaded_extensions = True  # nothing to compile: the padded way is run
    return ColBERTConfig, ColBERT, colbert_score, DocTokenizer, QueryTokenizer


def main(clone):
    import torch

    ColBERTConfig, ColBERT, colbert_score, DocTokenizer, QueryTokenizer = published(clone)
    made = []
    for seed in range(200):
        query, docs = (
            vectors(seed, 1 + seed % 32),
            [vectors(1000 + 10 * seed + i, 1 + (7 * seed + 5 * i) % 60) for i in range(4)],
        )
        width = max(map(len, docs))
        padded = torch.tensor([doc + [[0.0] * len(query[0])] * (width - len(doc)) for doc in docs])
        mask = torch.tensor([[[i < len(doc)] for i in range(width)] for doc in docs])
        made += [round(x, 4) for x in colbert_score(torch.tensor([query]), padded, mask).tolist()]
    with tempfile.TemporaryDirectory() as place:
        folder = str(checkpoint(Path(place)))
        config = ColBERTConfig(checkpoint=folder, doc_maxlen=LENGTH, query_maxlen=32, dim=8, gpus=0)
        model = ColBERT(folder, config)
        queries, docs = texts()
        query_tokens, doc_tokens = QueryTokenizer(config, verbose=0), DocTokenizer(config)
        read = {"queries": [], "docs": []}
        scores = []
        with torch.no_grad():
            encoded = []
            for doc in docs:
                ids, mask = doc_tokens.tensorize([doc])
                kept = model.mask(ids, model.skiplist)[0]
                read["docs"].append([ids[0].tolist(), [i for i, keep in enumerate(kept) if keep]])
                encoded.append(model.doc(ids, mask, keep_dims="return_mask"))
            for query in queries:
                ids, mask = query_tokens.tensorize([query])
                read["queries"].append([ids[0].tolist(), mask[0].tolist()])
                q = model.query(ids, mask)
                scores.append([round(float(model.score(q, d, m)[0]), 4) for d, m in encoded])
    commit = subprocess.run(["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    about = {
        "repository": "stanford-futuredata/ColBERT",
        "commit": commit.stdout.strip(),
        "made": made,
        **read,
        "scores": scores,
    }
    (Path(__file__).parent / "colbert.json").write_text(json.dumps(about) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
