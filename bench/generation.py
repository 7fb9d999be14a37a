"""Speed of thinking on the CPU: one prompt at a time, plain batches, ours; the same prompts, interleaved.

    python bench/generation.py --model reasoner/thinking --collection wide/dials

The model and the collection are those of `examples/tiny_reasoner.py`. In each round every contestant thinks about the same
queries' passages, one contestant after another; ratios are taken within the round. All write greedily up to the same
number of tokens and stop at the verdict; "tokens/s" counts written tokens up to the stop.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ponderank.backends.transformers_lm import TorchGenerator
from ponderank.data.beir import Collection
from ponderank.formats.rank1 import LABELS, VERDICTS, Rank1
from ponderank.retrieval.runs import candidates
from ponderank.types import Candidates, Generate, text_of

HERE = Path(__file__).parent
Result = tuple[int, list[str]]
"""Tokens written, and each text."""


def prompts(many: list[Candidates]) -> list[Any]:
    return [Rank1().prompt(one.query, doc) for one in many for doc in one.docs]


def generate(folder: Path, size: int, most: int) -> Callable[[list[Any]], Result]:
    """transformers' `generate`, `size` prompts at a time in their order, left padded, with its stop strings."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def run(asked: list[Any]) -> Result:
        written, texts = 0, []
        for start in range(0, len(asked), size):
            batch = tokenizer([text_of(p) for p in asked[start : start + size]], return_tensors="pt", padding=True)
            batch.pop("token_type_ids", None)
            with torch.inference_mode():
                out = model.generate(
                    **batch, max_new_tokens=most, do_sample=False, pad_token_id=tokenizer.pad_token_id,
                    stop_strings=list(VERDICTS), tokenizer=tokenizer,
                )  # fmt: skip
            for row in out[:, batch["input_ids"].shape[1] :]:
                ids = [int(i) for i in row if int(i) != tokenizer.pad_token_id]
                text = tokenizer.decode(ids)
                cut = min((text.index(v) for v in VERDICTS if v in text), default=len(text))
                written, texts = written + len(ids), [*texts, text[:cut]]
        return written, texts

    return run


def ours(folder: Path, slots: int, most: int) -> Callable[[list[Any]], Result]:
    backend = TorchGenerator(folder, device="cpu", slots=slots)

    def run(asked: list[Any]) -> Result:
        tickets = [backend.add(Generate(p, most, stop=VERDICTS, watch=LABELS)) for p in asked]
        replies: dict[int, Any] = {}
        while len(replies) < len(tickets):
            replies.update(backend.step())
            backend.written()
        backend._beginnings.clear()  # nothing is carried into the next round
        return sum(r.usage.output_tokens for r in replies.values()), [replies[t].text for t in tickets]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=20, help="in all; each round takes its share")
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--most", type=int, default=96)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "generation.json")
    args = parser.parse_args()
    collection = Collection.open(args.collection)
    many = list(candidates(collection, args.collection / "first.trec", collection.judged_queries("test"), args.each))
    many = many[: args.queries]
    contestants = {
        "generate, one prompt at a time": generate(args.model, 1, args.most),
        f"generate, batches of {args.slots}": generate(args.model, args.slots, args.most),
        f"ponderank, {args.slots} slots": ours(args.model, args.slots, args.most),
    }
    share = max(1, len(many) // args.rounds)
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    speed: dict[str, list[float]] = {name: [] for name in contestants}
    agreed = total = 0
    for number in range(args.rounds):
        asked = prompts(many[number * share : (number + 1) * share])
        texts = {}
        for name, run in contestants.items():
            start = time.perf_counter()
            written, texts[name] = run(asked)
            seconds = time.perf_counter() - start
            rates[name].append(written / seconds)
            speed[name].append(len(asked) / seconds)
        first, *_, last = texts.values()
        agreed, total = agreed + sum(a == b for a, b in zip(first, last, strict=True)), total + len(first)
    base = next(iter(contestants))
    rows = {
        name: {
            "tokens/s": round(statistics.median(rates[name]), 1),
            "passages/s": round(statistics.median(speed[name]), 2),
            "ratio": round(statistics.median(a / b for a, b in zip(speed[name], speed[base], strict=True)), 2),
        }
        for name in contestants
    }
    for name, row in rows.items():
        print(f"{name:<34} {row['tokens/s']:>8.1f} tokens/s {row['passages/s']:>7.2f} passages/s  x{row['ratio']:.2f}")
    print(f"the same thought, word for word, as one prompt at a time: {agreed} of {total}")
    found = {
        "machine": platform.processor() or platform.machine(),
        "passages": total,
        "same_text": agreed,
        "contestants": rows,
    }
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
