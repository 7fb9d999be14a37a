"""Make what `speed.py` runs: one-logit MiniLM-L6 weights in torch and ONNX, and texts.

    python bench/prepare.py --base MINILM_FOLDER --collection BEIR_FOLDER

The head is random: speed does not depend on it, and agreement with torch is checked on it all the same.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

WORK = Path(__file__).parent / ".cache"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, type=Path)
    parser.add_argument("--collection", required=True, type=Path)
    args = parser.parse_args()
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    from ponderank.train.export import export_onnx, quantise_int8

    torch.manual_seed(0)
    model = BertForSequenceClassification.from_pretrained(args.base, num_labels=1).eval()
    model.save_pretrained(WORK / "torch")
    tokenizer = AutoTokenizer.from_pretrained(args.base)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(WORK / "torch")
    export_onnx(WORK / "torch", WORK / "fp32", cls_only=True)
    quantise_int8(WORK / "fp32" / "model.onnx", WORK / "fp32" / "model.int8.onnx")
    export_onnx(WORK / "torch", WORK / "plain", cls_only=False)
    for_flashrank(tokenizer)
    write_texts(args.collection)
    shutil.rmtree(WORK / "plain" / "__pycache__", ignore_errors=True)


def for_flashrank(tokenizer: Any) -> None:
    """The folder that FlashRank would download, with the plain graph under the name it looks for."""
    folder = WORK / "flashrank" / "ms-marco-MiniLM-L-12-v2"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(WORK / "plain" / "model.onnx", folder / "flashrank-MiniLM-L-12-v2_Q.onnx")
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(WORK / "plain" / name, folder / name)
    special = {f"{n}_token": getattr(tokenizer, f"{n}_token") for n in ("cls", "sep", "pad", "unk", "mask")}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "tokenizer_config.json").write_text(json.dumps({**special, "model_max_length": 512}))


def write_texts(collection: Path) -> None:
    docs = (collection / "corpus.jsonl").open(encoding="utf-8")
    queries = (collection / "queries.jsonl").open(encoding="utf-8")
    with (WORK / "texts.jsonl").open("w", encoding="utf-8") as out:
        for _, doc, query in zip(range(2000), docs, queries, strict=False):
            out.write(json.dumps({"query": json.loads(query)["text"], "text": json.loads(doc)["text"]}) + "\n")


if __name__ == "__main__":
    main()
