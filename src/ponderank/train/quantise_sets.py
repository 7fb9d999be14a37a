"""What a model is measured on before and after: collections, its own training rows, or a probe that is always there.

Collections have judgements, so a measure of quality. Rows and the probe show only whether the two models agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponderank.data.collections import SCHEMES
from ponderank.data.lines import records
from ponderank.errors import DataError
from ponderank.formats.rank1 import END, HEAD
from ponderank.train.config import resolve
from ponderank.train.dev_sets import JudgedSet, opened
from ponderank.types import Candidates, Doc, Query

Rows = list[tuple[str, str]]
_PASSAGE, _START = "\nPassage: ", "\n<think>"
_NO_THOUGHT = f"{_START}\n\n{END}"


@dataclass(frozen=True, slots=True)
class Subject:
    """The sets, in words what they are, and the recipe that their rows are asked with, if they say it."""

    sets: tuple[JudgedSet, ...]
    words: str
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of each collection: ``queries``, ``docs`` candidates of each; ``rows`` of training rows."""

    queries: int = 50
    docs: int = 20
    rows: int = 100


PROBE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("why is the sky blue", (
        "Air scatters short wavelengths of sunlight more than long ones, so blue light reaches the eye from all directions.",
        "The sea looks blue mainly because water absorbs red light.",
        "Clouds form when moist air cools and its vapour condenses on dust.",
        "Blue was an expensive pigment in the Middle Ages, made of ground lapis lazuli.")),
    ("how do vaccines protect against a disease", (
        "A vaccine shows the immune system a harmless part of a germ, so that memory cells answer quickly to the real one.",
        "Antibiotics kill bacteria or stop them from growing, and do nothing against viruses.",
        "The first vaccine, against smallpox, was given by Edward Jenner in 1796.",
        "Hospitals keep records of which patients were treated in which ward.")),
    ("what is the boiling point of water at high altitude", (
        "Where the air is thinner water boils at lower temperatures, at about 90 degrees Celsius at 3,000 metres.",
        "At sea level water boils at 100 degrees Celsius and freezes at zero.",
        "Mountaineers get used to the height by climbing slowly over several days.",
        "Salt lowers the freezing point of water, which is why roads are salted in winter.")),
    ("who painted the Mona Lisa", (
        "The Mona Lisa is a portrait by Leonardo da Vinci, painted in the early sixteenth century.",
        "The Mona Lisa was stolen from the Louvre in 1911 and found two years later.",
        "Michelangelo painted the ceiling of the Sistine Chapel.",
        "Oil paint dries slowly, by taking up oxygen from the air.")),
    ("can you eat rhubarb leaves", (
        "The leaves of rhubarb hold oxalic acid and are poisonous; only the stalks are eaten.",
        "Rhubarb stalks are cooked with sugar for pies and compotes.",
        "Spinach leaves can be eaten raw or cooked.",
        "Garden soil should drain well and be rich in humus.")),
    ("how does a transistor work as a switch", (
        "A small voltage at a transistor's gate opens or closes the way for a larger current between source and drain.",
        "The transistor was invented at Bell Labs in 1947.",
        "A light switch is pressed by hand to close a circuit.",
        "Copper conducts electricity better than iron.")),
    ("when did the Berlin Wall fall", (
        "On 9 November 1989 the crossings of the Berlin Wall were opened, and people began to take it down.",
        "The Berlin Wall was built in August 1961 to stop people from leaving the East.",
        "Berlin has more bridges than Venice.",
        "The Great Wall of China was built over many centuries.")),
    ("why do leaves change colour in autumn", (
        "In autumn trees break down the green chlorophyll of their leaves, and yellow and orange pigments show.",
        "Conifers keep most of their needles all year.",
        "Leaves take in carbon dioxide through small openings called stomata.",
        "The autumn sales of garden tools rose by a tenth.")),
    ("what is the difference between weather and climate", (
        "Weather is the state of the air on a day; climate is what the weather is like over decades.",
        "A weather station measures temperature, pressure and wind.",
        "Greenhouse gases keep heat in the atmosphere.",
        "The office has a good working climate, its staff say.")),
    ("how much sleep do adults need", (
        "Most adults need seven to nine hours of sleep a night.",
        "Newborn babies sleep for most of the day, in short stretches.",
        "Coffee late in the day makes it harder to fall asleep.",
        "Sleeping bags are rated by the lowest temperature they keep warm at.")),
)  # fmt: skip
"""Ten questions with a text that answers each, two that are near, and one that is off; public knowledge in our own words."""


def choose(
    model: Path, *, dev: Sequence[str] = (), rows: Path | None = None, writes: bool, depth: Depth = Depth()
) -> Subject:
    """What to measure ``model`` on: ``dev`` collections, else ``rows``, else what its own training left, else the probe.

    Raises:
        DataError: a collection without judged queries, or rows that no recipe here asks.
    """
    if dev:
        return Subject(
            tuple(opened(folder, depth.queries, depth.docs) for folder in dev), f"the collections {_names(dev)}"
        )
    if rows is not None:
        return _rows(rows, f"rows of {rows}", depth)
    recorded = [folder for folder in recorded_dev(model) if _is_here(folder)]
    if recorded:
        return Subject(
            tuple(opened(f, depth.queries, depth.docs) for f in recorded),
            f"the dev sets of its own training, {_names(recorded)}",
        )
    own = own_rows(model, writes=writes)
    if own is not None:
        return _rows(own, f"rows that it was trained on ({own}): agreement, not quality", depth)
    many = tuple(_candidates(f"probe {at}", query, texts) for at, (query, texts) in enumerate(PROBE))
    return Subject(
        (JudgedSet("probe", many),),
        f"{len(many)} questions with four texts each that come with Ponderank: agreement, not quality; --dev COLLECTION "
        "measures quality",
    )


def recorded_dev(model: Path) -> list[str]:
    """The dev collections in the record of a model's own training, empty where there is none."""
    for path in (model / "training" / "training.json", model.parent / "training.json"):
        if path.is_file():
            config = json.loads(path.read_text("utf-8")).get("config", {})
            parts = [config, *(part for part in config.values() if isinstance(part, dict))]
            found: list[Any] = next((part["dev"] for part in parts if part.get("dev")), [])
            return [one["folder"] if isinstance(one, dict) else one for one in found]
    return []


def _is_here(folder: str) -> bool:
    try:
        return folder.partition(":")[0] in SCHEMES or resolve(folder).is_dir()
    except DataError:  # it has moved since
        return False


def own_rows(model: Path, *, writes: bool) -> Path | None:
    """The rows a model's own training left beside it: tokens of a reasoner's, pairs of a cross-encoder's."""
    path = model / "training" / "rows.arrow" if writes else model.parent / "pairs.jsonl"
    return path if path.is_file() else None


def read_rows(path: Path, model: Path) -> Rows:
    """Prompts and completions of a JSONL file, or of the ``rows.arrow`` of ``model``'s own training.

    Raises:
        DataError: rows of another shape.
    """
    if path.suffix != ".arrow":
        from ponderank.distill.rows import read_rows as jsonl

        return list(jsonl(path / "train.jsonl" if path.is_dir() else path))
    from datasets import Dataset

    from ponderank.backends.prompts import PromptTokenizer
    from ponderank.backends.transformers_rows import end_ids

    many = Dataset.from_file(str(path))
    if not {"input_ids", "labels"} <= set(many.column_names):
        raise DataError("no completions among these rows; give --rows FILE with prompts and completions", path=path)
    tokenizer, ends = PromptTokenizer(model), end_ids(model, None)
    begun = len(tokenizer.encode(()))  # what the tokenizer puts around every text
    rows = []
    for row in many:
        length = sum(label == -100 for label in row["labels"])
        said = row["input_ids"][length:]
        said = said[:-1] if said and said[-1] in ends else said
        rows.append((tokenizer.decode(row["input_ids"][begun:length]), tokenizer.decode(said)))
    return rows


def _rows(path: Path, words: str, depth: Depth) -> Subject:
    """Every so many of the rows: prompts that Rank1 asks, or a cross-encoder's groups."""
    model = path.parent.parent
    if path.suffix == ".jsonl" and "docs" in next(iter(records(path)))[1]:
        groups = [(row["query"], row["docs"]) for _, row in records(path)]
        size = max(1, sum(len(docs) for _, docs in groups) // len(groups))
        chosen = groups[:: max(1, len(groups) * size // depth.rows)][: max(1, depth.rows // size)]
        many = tuple(_candidates(f"row {at}", query, docs) for at, (query, docs) in enumerate(chosen))
        return Subject((JudgedSet("rows", many),), words)
    rows = read_rows(path, model)
    chosen = rows[:: max(1, len(rows) // depth.rows)][: depth.rows]
    read = [pair_of(prompt) for prompt, _ in chosen]
    if not read or any(one is None for one in read):
        raise DataError("rows that the recipe rank1 does not ask; measure on a collection instead (--dev)", path=path)
    whole = [one for one in read if one is not None]
    recipe = "rank1-direct" if all(direct for _, _, direct in whole) else "rank1"
    many = tuple(_candidates(f"row {at}", query, (text,)) for at, (query, text, _) in enumerate(whole))
    return Subject((JudgedSet("rows", many),), words, recipe)


def pair_of(prompt: str) -> tuple[str, str, bool] | None:
    """The query and the passage of a prompt of Rank1's, and whether it is asked without a thought; None for another prompt.

    Put together again they are the same prompt, wherever it was parted.

    >>> pair_of(HEAD + "who\\nPassage: me\\n<think>")
    ('who', 'me', False)
    """
    ending = _NO_THOUGHT if prompt.endswith(_NO_THOUGHT) else _START
    if not prompt.startswith(HEAD) or not prompt.endswith(ending) or _PASSAGE not in prompt:
        return None
    query, _, text = prompt[len(HEAD) : -len(ending)].partition(_PASSAGE)
    return query, text, ending == _NO_THOUGHT


def _candidates(name: str, query: str, texts: Sequence[str]) -> Candidates:
    return Candidates(Query(name, query), tuple(Doc(f"{name}.{at}", text) for at, text in enumerate(texts)))


def _names(folders: Iterable[Any]) -> str:
    return ", ".join(Path(folder).name for folder in folders)
