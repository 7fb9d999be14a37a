"""Train a reasoner of one and a half million parameters in minutes, and see what its thoughts are worth.

    python examples/tiny_reasoner.py --out reasoner           # two models and a collection; about 20 minutes on 2 cores
    python examples/tiny_reasoner.py --out reasoner --quick   # a few steps only, to see that it runs

The problems: a query asks for a dial of wood, brass, glass or stone, with ten figures, that ends at one of them; a passage says,
among other things that do not matter, which dial somebody turned and by how many steps, up to eight times (A3 B8 C1 … : from 0
to 3, to 1, to 2 …). What the dial is made of can be seen at once; for the rest one has to go along step by step. Two models with the
same weights to begin with see the same problems in Rank1's own format: one learns to think and then to judge (and, every third
time, to judge at once), the other only to judge at once: the paper's ablation (arXiv 2502.18418, section 3.7). Both are then
reranked with through the recipes ``rank1`` and ``rank1-direct``, unchanged.

The folder holds ``thinking/`` and ``direct/`` (Hugging Face checkpoints) and ``dials/`` (a collection in BEIR layout).
Needs the extra [torch].
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

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
"""How often a dial is turned at most."""
KINDS = ("wood", "brass", "glass", "stone")
WORDS = (
    "a", "the", "in", "of", "day", "was", "house", "old", "then", "cold", "and", "it", "said",
    "true", "false", "what", "no", "yes", "so", "ends", "at", "is", "on", "he", "she", "sun",
)  # fmt: skip
SIGNS = "<>[]()|/.,:;!?-_*#'"


@dataclass(frozen=True)
class Problem:
    """A pair of texts; which dial is told of and asked for, where it goes, and which figure is asked for."""

    query: Query
    doc: Doc
    kinds: tuple[str, str]
    places: tuple[int, ...]
    asked: int

    @property
    def relevant(self) -> bool:
        return self.kinds[0] == self.kinds[1] and self.places[-1] == self.asked

    @property
    def thought(self) -> str:
        told, wanted = self.kinds
        turns = [(b - a) % 10 for a, b in pairwise((0, *self.places))]
        along = " ".join(f"{turn} {place}" for turn, place in zip(lettered(turns).split(), self.places, strict=True))
        steps = f"{along}. Asked {self.asked}. " if told == wanted else ""
        return f" {told}, asked {wanted}. {steps}So {'yes' if self.relevant else 'no'}. "


def problem(rng: random.Random, kind: str, asked: int, *, relevant: bool, number: str = "d") -> Problem:
    """A passage whose dial is the one that is asked for and ends there, or fails in one of the two."""
    told = kind if relevant or rng.random() < 0.5 else rng.choice([other for other in KINDS if other != kind])
    end = asked if relevant else rng.choice([figure for figure in range(10) if figure != asked])
    turns = [rng.randrange(10) for _ in range(rng.randrange(TURNS))]
    turns.append((end - sum(turns)) % 10)
    told_of = f"{rng.choice(NAMES)} turned the {told} dial by {lettered(turns)}"
    text = ". ".join(filter(None, (aside(rng), told_of, aside(rng))))
    places = tuple(total % 10 for total in accumulate(turns))
    return Problem(question(kind, asked), Doc(number, text), (told, kind), places, asked)


def aside(rng: random.Random) -> str:
    """What else a passage says before and after it comes to the point: words or a scribble, often nothing. It must not matter."""
    if rng.random() < 0.6:
        return ""
    if rng.random() < 0.6:
        return " ".join(rng.choices(WORDS, k=rng.randint(2, 9)))
    letters = [
        rng.choice(SIGNS) if rng.random() < 0.4 else rng.choice("abcdefghijklmnopqrstuvwxyz ")
        for _ in range(rng.randint(3, 14))
    ]
    return "".join(letters).strip()


def lettered(turns: Sequence[int]) -> str:
    """The turns by letters, in order: what a thought looks up is found by its letter, wherever the passage has it."""
    return " ".join(f"{letter}{turn}" for letter, turn in zip("ABCDEFGH", turns, strict=False))


def question(kind: str, asked: int, number: str = "q") -> Query:
    return Query(number, f"{kind} dial that ends at {asked}")


def random_problem(rng: random.Random) -> Problem:
    return problem(rng, rng.choice(KINDS), rng.randrange(10), relevant=rng.random() < 0.5)


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


def batches(
    tokenizer: Any, forms: Sequence[Rank1], rng: random.Random, size: int
) -> Iterator[list[tuple[list[int], list[int]]]]:
    """Rows of ``forms`` in turn, as ids of prompt and completion; those of a batch are about as long as each other."""
    end = tokenizer.token_to_id("<|endoftext|>")
    while True:
        rows = []
        for number in range(8 * size):
            prompt, completion = row(random_problem(rng), forms[number % len(forms)])
            rows.append((tokenizer.encode(prompt).ids, [*tokenizer.encode(completion).ids, end]))
        rows.sort(key=lambda ids: len(ids[0]) + len(ids[1]))
        starts = list(range(0, len(rows), size))
        rng.shuffle(starts)
        yield from (rows[start : start + size] for start in starts)


def train(
    folder: Path, forms: Sequence[Rank1], *, steps: int, seed: int, batch: int = 72, width: int = 160, layers: int = 4
) -> float:
    """Train one model on rows of ``forms`` in turn, and save it; returns the seconds it took."""
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
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / 30, (steps - step) / (0.3 * steps))
    )
    deciding = torch.tensor([tokenizer.encode(word).ids[-1] for word in (" yes", " no", " true", " false")])
    many, began = batches(tokenizer, forms, random.Random(seed + 1), batch), time.perf_counter()
    for step in range(steps):
        rows = next(many)
        longest = max(len(prompt) + len(completion) for prompt, completion in rows)
        ids, labels = torch.full((batch, longest), end), torch.full((batch, longest), -100)
        for at, (prompt, completion) in enumerate(rows):
            whole = torch.tensor(prompt + completion)
            ids[at, : len(whole)] = whole
            labels[at, len(prompt) : len(whole)] = whole[len(prompt) :]
        ids, labels = ids[:, :-1], labels[:, 1:]
        losses = torch.nn.functional.cross_entropy(
            model(input_ids=ids).logits.transpose(1, 2), labels, reduction="none"
        )
        # one token in twenty decides; with the same weight as the others it takes three times as many steps to be learnt
        weights = torch.where(torch.isin(labels, deciding), 6.0, (labels >= 0).float())
        loss = (losses * weights).sum() / weights.sum()
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
        kind, asked = KINDS[number % len(KINDS)], number % 10
        query = question(kind, asked, f"q{number}")
        questions.append({"_id": query.id, "text": query.text})
        made = [problem(rng, kind, asked, relevant=i < relevant, number=f"{query.id}-{i}") for i in range(each)]
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


def reranked(recipe: str, folder: Path, problems: Path) -> str:
    """A line of the table: nDCG@10, verdicts that are right, tokens written, flaws."""
    qrels = Collection.open(problems).qrels("test")
    with Reranker(recipe, model=folder, think_tokens=96 if recipe == "rank1" else None) as reranker:
        rankings = list(reranker.rank_many(first_stage(problems)))
    run = {r.query.id: [(doc.id, float(-i)) for i, doc in enumerate(r.docs)] for r in rankings}
    right = [(s > 0) == (d.id in qrels[r.query.id]) for r in rankings for d, s in zip(r.docs, r.scores, strict=True)]
    measure = evaluate(qrels, {"run": run}, ["nDCG@10"])["run"]["nDCG@10"]
    written = sum(r.usage.output_tokens for r in rankings)
    flaws = sum(sum(r.flaws().values()) for r in rankings)
    return f"{measure:>8.4f} {sum(right) / len(right):>7.1%} {written:>15,} {flaws:>6}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a tiny reasoner, with and without thoughts.")
    parser.add_argument("--out", type=Path, default=Path("reasoner"))
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=20, help="passages a query")
    parser.add_argument("--only", choices=("thinking", "direct", "problems"))
    parser.add_argument(
        "--quick", action="store_true", help="a few steps and queries: shows that it runs, not what it learns"
    )
    args = parser.parse_args()
    steps, queries = (3, 2) if args.quick else (args.steps, 40)
    problems = args.out / "dials"
    write_collection(problems, random.Random(args.seed + 7), queries=queries, each=args.each)
    think, direct = Rank1(), Rank1(think=False)
    lines = []
    for name, forms, recipes in (
        ("thinking", (think, think, direct), ("rank1", "rank1-direct")),
        ("direct", (direct,), ("rank1-direct",)),
    ):
        if args.only in (None, name):
            make_tokenizer(args.out / name, random.Random(args.seed))
            train(args.out / name, forms, steps=steps, seed=args.seed)
            lines += [f"{name:<10} {recipe:<13}{reranked(recipe, args.out / name, problems)}" for recipe in recipes]
    print(f"{'model':<10} {'recipe':<13}{'nDCG@10':>8} {'right':>7} {'tokens written':>15} {'flaws':>6}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
