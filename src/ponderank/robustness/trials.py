"""What is ranked: every candidate list of every test, laid out before anything is asked. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ponderank.robustness import order
from ponderank.robustness.attacks import Attack, aimed, attacked, random_words, target, word_pool
from ponderank.robustness.variations import Variation
from ponderank.types import Candidates

Test = Literal["order", "repeats", "queries", "documents", "others", "position"]
TESTS: tuple[Test, ...] = get_args(Test)
"""What can be tested: input orders, the same again, query variations, document attacks, other collections, places in a prompt."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A collection as it is ranked: each query's candidates, its judgements, and the least grade that is relevant."""

    name: str
    many: tuple[Candidates, ...]
    qrels: Mapping[str, Mapping[str, int]]
    relevant: int = 1
    without_candidates: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Candidates that are ranked together under one name.

    ``anew`` asks past the kept replies; ``alone`` asks one query after the other, so that no other shares its batches. ``drawn``
    is the seed that decides on the company, where there is one. Of a ``judge`` alone the candidates are one group, shown once.
    """

    test: Test | Literal["base"]
    name: str
    many: tuple[Candidates, ...]
    anew: bool = False
    alone: bool = False
    drawn: int = 0
    judge: int | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """Where one attack strikes one query: the document, and what is put into it."""

    query: str
    doc: str
    position: int
    text: str


def base(subject: Subject) -> Trial:
    """The candidates as they are."""
    return Trial("base", "base", subject.many)


def orders(subject: Subject, shuffles: int, seed: int) -> Iterator[Trial]:
    """The same candidates in other orders."""
    for name in order.names(shuffles):
        yield Trial("order", name, tuple(order.reordered(one, name, seed) for one in subject.many))


def repeats(subject: Subject, count: int, seed: int) -> Iterator[Trial]:
    """The same again, asked anew: in the same company, with the queries in another order, one query at a time, and so on."""
    for number in range(count):
        if number == 0:
            yield Trial("repeats", "again", subject.many, anew=True)
        elif number == 2:
            yield Trial("repeats", "alone", subject.many, anew=True, alone=True)
        else:
            name = f"other-company-{number if number == 1 else number - 1}"
            many = list(subject.many)
            random.Random(f"{seed}|{name}").shuffle(many)
            yield Trial("repeats", name, tuple(many), anew=True, drawn=seed)


def said_otherwise(subject: Subject, variations: Sequence[Variation], seed: int) -> Iterator[Trial]:
    """The queries said otherwise, their candidates unchanged; queries to which a variation does not apply are not in its trial."""
    for variation in variations:
        made = ((one, variation.of(one.query.text, seed)) for one in subject.many)
        changed = (replace(one, query=replace(one.query, text=text)) for one, text in made if text is not None)
        yield Trial("queries", variation.name, tuple(changed))


def others(subjects: Sequence[Subject]) -> Iterator[Trial]:
    """Other collections as they are."""
    for subject in subjects:
        yield Trial("others", subject.name, subject.many)


def attacks(subject: Subject, kit: Sequence[Attack], seed: int) -> Iterator[tuple[Trial, Trial, tuple[Aim, ...]]]:
    """For each attack and place: the attacked candidates, those with as many random words, and where it struck.

    The random words are of documents among the candidates of other queries. Attacks of one length share them, so that a
    recipe which judges passages alone is asked once.
    """
    pool = word_pool([doc for one in subject.many for doc in one.docs[:5]])
    targets = {one.query.id: target(one, subject.qrels[one.query.id], subject.relevant, seed) for one in subject.many}
    for attack in kit:
        for place in attack.places:
            aims, struck, control = [], [], []
            for one in subject.many:
                position = aimed(attack, one, targets[one.query.id])
                if position is None:
                    continue
                text = attack.said(one.query.text, position + 1)
                aims.append(Aim(one.query.id, one.docs[position].id, position, text))
                struck.append(attacked(one, position, text, place))
                words = random_words(text, pool, one.query.text, seed)
                control.append(attacked(one, position, words, place))
            name = f"{attack.name}/{place}"
            both = Trial("documents", name, tuple(struck)), Trial("documents", f"{name}/control", tuple(control))
            yield *both, tuple(aims)
