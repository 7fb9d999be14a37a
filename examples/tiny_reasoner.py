"""Train a reasoner of one and a half million parameters in minutes, and see what its thoughts are worth.

    python examples/tiny_reasoner.py --out reasoner           # two models and a collection; about 8 minutes on 2 cores
    python examples/tiny_reasoner.py --out reasoner --quick   # a few steps only, to see that it runs

The problems: a query asks for a dial of ten figures that ends at one of them; a passage says by how many steps somebody turned
it, eight times (3 8 1 … : from 0 to 3, to 1, to 2 …). One has to go along step by step. Two models with the same weights to
begin with see the same problems in Rank1's own format: one learns to think and then to judge, the other to judge at once (the
paper's ablation, arXiv 2502.18418, section 3.7). Both are then reranked with through the recipes ``rank1`` and
``rank1-direct``, unchanged.

The folder holds ``thinking/`` and ``direct/`` (Hugging Face checkpoints) and ``dials/`` (a collection in BEIR layout).
Needs the extra [torch].
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ponderank import Doc, Judgement, Query, Reranker
from ponderank.data.beir import Collection
from ponderank.formats.rank1 import Rank1
from ponderank.metrics.ranked import evaluate
from ponderank.types import Candidates

NAMES = (
    "Ada", "Bo", "Cy", "Dee", "Eli", "Fay", "Gus", "Hal", "Ida", "Jo", "Kip", "Lea", "Max",
    "Nell", "Ona", "Pip", "Quin", "Ray", "Sue", "Tom", "Uma", "Vic", "Wes", "Xia", "Yan", "Zoe",
    "Ann", "Ben", "Cal", "Don", "Eve", "Finn", "Gil", "Hope", "Ivy", "Jack", "Kay", "Lou", "Mia",
    "Ned",
)  # fmt: skip
TURNS = 8
"""How often a dial is turned."""


@dataclass(frozen=True)
class Problem:
    """A pair of texts, where the dial goes, and which figure is asked for."""

    query: Query
    doc: Doc
    places: tuple[int, ...]
    asked: int

    @property
    def relevant(self) -> bool:
        return self.places[-1] == self.asked

    @property
    def thought(self) -> str:
        return f" {' '.join(map(str, self.places))}. Asked {self.asked}. "


def problem(rng: random.Random, asked: int, *, relevant: bool, number: str = "d") -> Problem:
    """A passage whose dial ends at the figure that is asked for, or at another."""
    turns = [rng.randrange(10) for _ in range(TURNS - 1)]
    end = asked if relevant else rng.choice([figure for figure in range(10) if figure != asked])
    turns.append((end - sum(turns)) % 10)
    text = f"{rng.choice(NAMES)} turned the dial by {' '.join(map(str, turns))}"
    return Problem(question(asked), Doc(number, text), tuple(total % 10 for total in accumulate(turns)), asked)


def question(asked: int, number: str = "q") -> Query:
    return Query(number, f"dial that ends at {asked}")


def random_problem(rng: random.Random) -> Problem:
    return problem(rng, rng.randrange(10), relevant=rng.random() < 0.5)


def row(one: Problem, form: Rank1) -> tuple[str, str]:
    """Prompt and completion, as ``rank1`` will ask and read them."""
    judged = Judgement((1.0 if one.relevant else -1.0,), reasoning=one.thought)
    return form.example(one.query, [one.doc], judged)


def make_tokenizer(folder: Path, rng: random.Random) -> None:
    """A byte-level BPE of the problems' words; the template's first sentence is one token, to spare the small model the reading."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    texts = ["".join(row(random_problem(rng), Rank1())) for _ in range(3000)]
    made.train_from_iterator(
        [text.partition("Query:")[2].replace("<think>", "").replace("</think>", "") for text in texts], trainer
    )
    made.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    opening = texts[0].partition("Query:")[0]
    made.add_tokens([AddedToken(text, special=False, normalized=False) for text in ("<think>", "</think>", opening)])
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "model_max_length": 512}))


def train(
    folder: Path, form: Rank1, *, steps: int, seed: int, batch: int = 96, width: int = 160, layers: int = 4
) -> float:
    """Train one model on rows of ``form`` and save it; returns the seconds it took."""
    import torch
    import transformers
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    torch.manual_seed(seed)
    end = tokenizer.token_to_id("<|endoftext|>")
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=width // 32, num_key_value_heads=width // 32, max_position_embeddings=512, tie_word_embeddings=False,
        initializer_range=0.06,  # the usual .02 is for wide models: one so narrow then learns nothing for a long time
        bos_token_id=end, eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=8e-4, weight_decay=0.0, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 8e-4, total_steps=steps, pct_start=min(0.1, 20 / steps))
    rng, began = random.Random(seed + 1), time.perf_counter()
    for step in range(steps):
        rows = [row(random_problem(rng), form) for _ in range(batch)]
        prompts = [tokenizer.encode(prompt).ids for prompt, _ in rows]
        wholes = [a + tokenizer.encode(text).ids + [end] for a, (_, text) in zip(prompts, rows, strict=True)]
        longest = max(map(len, wholes))
        ids = torch.tensor([whole + [end] * (longest - len(whole)) for whole in wholes])
        labels = torch.full_like(ids, -100)
        for at, (prompt, whole) in enumerate(zip(prompts, wholes, strict=True)):
            labels[at, len(prompt) : len(whole)] = ids[at, len(prompt) : len(whole)]
        loss = model(input_ids=ids, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            print(
                f"{folder.name}: step {step}, loss {loss.item():.4f}, {time.perf_counter() - began:.0f} s", flush=True
            )
    model.generation_config.eos_token_id = end
    model.half().save_pretrained(folder)
    return time.perf_counter() - began


def write_collection(folder: Path, rng: random.Random, *, queries: int = 40, each: int = 20, relevant: int = 4) -> None:
    """Problems as a collection in BEIR layout, and its first stage: each query's passages in random order (a TREC run)."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    corpus, questions, judged, run = [], [], ["query-id\tcorpus-id\tscore"], []
    for number in range(queries):
        query = question(number % 10, f"q{number}")
        questions.append({"_id": query.id, "text": query.text})
        made = [problem(rng, number % 10, relevant=i < relevant, number=f"{query.id}-{i}") for i in range(each)]
        judged += [f"{query.id}\t{one.doc.id}\t1" for one in made if one.relevant]
        corpus += [{"_id": one.doc.id, "text": one.doc.text} for one in made]
        rng.shuffle(made)
        run += [f"{query.id} Q0 {one.doc.id} {rank + 1} {each - rank} shuffled" for rank, one in enumerate(made)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in corpus))
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in questions))
    (folder / "qrels" / "test.tsv").write_text("\n".join(judged) + "\n")
    (folder / "first.trec").write_text("\n".join(run) + "\n")


def first_stage(folder: Path) -> list[Candidates]:
    """The collection's queries with their passages, as ``first.trec`` has them."""
    from ponderank.retrieval.runs import candidates

    collection = Collection.open(folder)
    return list(candidates(collection, folder / "first.trec", collection.judged_queries("test"), 100))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a tiny reasoner, with and without thoughts.")
    parser.add_argument("--out", type=Path, default=Path("reasoner"))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("thinking", "direct"))
    parser.add_argument(
        "--quick", action="store_true", help="a few steps and queries: shows that it runs, not what it learns"
    )
    args = parser.parse_args()
    steps, queries = (3, 2) if args.quick else (args.steps, 40)
    write_collection(args.out / "dials", random.Random(args.seed + 7), queries=queries)
    many = first_stage(args.out / "dials")
    qrels = Collection.open(args.out / "dials").qrels("test")
    print(f"{'model':<10} {'nDCG@10':>8} {'right':>7} {'tokens written':>15} {'flaws':>6}")
    for name, recipe, form in (("thinking", "rank1", Rank1()), ("direct", "rank1-direct", Rank1(think=False))):
        if args.only and name != args.only:
            continue
        folder = args.out / name
        make_tokenizer(folder, random.Random(args.seed))
        train(folder, form, steps=steps, seed=args.seed)
        with Reranker(recipe, model=folder, think_tokens=96 if name == "thinking" else None) as reranker:
            rankings = list(reranker.rank_many(many))
        run = {r.query.id: [(doc.id, float(-i)) for i, doc in enumerate(r.docs)] for r in rankings}
        right = [
            (s > 0) == (d.id in qrels[r.query.id]) for r in rankings for d, s in zip(r.docs, r.scores, strict=True)
        ]
        written = sum(r.usage.output_tokens for r in rankings)
        flaws = sum(sum(r.flaws().values()) for r in rankings)
        measure = evaluate(qrels, {name: run}, ["nDCG@10"])[name]["nDCG@10"]
        print(f"{name:<10} {measure:>8.4f} {sum(right) / len(right):>7.1%} {written:>15,} {flaws:>6}")


if __name__ == "__main__":
    main()
