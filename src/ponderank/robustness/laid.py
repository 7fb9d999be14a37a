"""What a suite tests, and everything that is ranked for it, laid out from the files before a model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ponderank.errors import DataError
from ponderank.recipe import Recipe, nearest
from ponderank.recipes import find
from ponderank.robustness import position, trials
from ponderank.robustness.attacks import KIT, Attack, read_attacks
from ponderank.robustness.order import SHUFFLES
from ponderank.robustness.position import QUERIES, Draw, Shown
from ponderank.robustness.trials import TESTS, Aim, Subject, Trial
from ponderank.robustness.variations import chosen
from ponderank.run import Experiment
from ponderank.run_input import first_stage, opened, queries_of, split_of


@dataclass(frozen=True, slots=True)
class Suite:
    """What is tested, and how.

    Args:
        experiment: the collection, its candidates, the recipe and its model, as for ``run.perform``; ``measures`` are not used.
        measure: by which effect is told; one that has a value for each query.
        tests: of ``trials.TESTS``.
        variations: names of query variations; none are all.
        attacks: a file of attacks that are tried beside the kit (``attacks.read_attacks``).
        others: other collections, folders or ids; each under its own split, with the experiment's ``k`` and ``limit``.
        shuffles: random input orders beside the given one and its reverse.
        repeats: how often the same is asked again.
        seed: of everything that is drawn.
        position_queries: queries whose passages are shown in several orders.
        position_groups: groups of each; None for about twenty passages. Of pairs: all pairs of a few passages, at most so many.
        position_shuffles: random orders of each group beside the first stage's; every order is shown in both directions.
    """

    experiment: Experiment
    measure: str = "nDCG@10"
    tests: tuple[str, ...] = TESTS
    variations: tuple[str, ...] = ()
    attacks: str | Path | None = None
    others: tuple[str | Path, ...] = ()
    shuffles: int = SHUFFLES
    repeats: int = 2
    seed: int = 0
    position_queries: int = QUERIES
    position_groups: int | None = None
    position_shuffles: int = 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attack at a place: its trial, its control's, and where it struck."""

    trial: Trial
    control: Trial
    aims: tuple[Aim, ...]


@dataclass(frozen=True, slots=True)
class Laid:
    """Everything that is to be ranked: ``base`` first, then the other trials in order.

    ``shown`` is what the test of positions shows to judges; ``unshown`` says why there is none of it, where it was asked for.
    """

    main: Subject
    others: tuple[Subject, ...]
    base: Trial
    trials: tuple[Trial, ...]
    attempts: tuple[Attempt, ...]
    shown: tuple[Shown, ...] = ()
    unshown: str = ""

    @property
    def every(self) -> list[Trial]:
        """All trials in the order in which they are ranked."""
        struck = [trial for attempt in self.attempts for trial in (attempt.trial, attempt.control)]
        return [self.base, *self.trials, *struck, *(trial for one in self.shown for trial in one.trials)]


def lay_out(suite: Suite) -> Laid:
    """Read the input and lay out every trial.

    Raises:
        DataError: bad input; what is wrong is said before anything is asked.
        RecipeError: there is no such recipe.
    """
    _check(suite)
    variations = chosen(suite.variations)
    kit: Sequence[Attack] = (*KIT, *(read_attacks(suite.attacks) if suite.attacks is not None else ()))
    main = subject_of(replace(suite.experiment, measures=(suite.measure,)))
    elsewhere = [replace(suite.experiment, collection=other, split=None, run_file=None) for other in suite.others]
    far = (
        tuple(subject_of(replace(one, measures=(suite.measure,))) for one in elsewhere)
        if "others" in suite.tests
        else ()
    )
    if len({main.name, *(one.name for one in far)}) <= len(far):
        raise DataError(
            "a collection is named twice; --other names collections that differ from --collection and each other"
        )
    measured(main, first_order(main), suite.measure)  # here, not when all is ranked
    found: list[Trial] = []
    if "order" in suite.tests:
        found += trials.orders(main, suite.shuffles, suite.seed)
    if "queries" in suite.tests:
        found += trials.said_otherwise(main, variations, suite.seed)
    found += trials.others(far)
    if "repeats" in suite.tests:
        found += trials.repeats(main, suite.repeats, suite.seed)
    attempts = trials.attacks(main, kit, suite.seed) if "documents" in suite.tests else ()
    shown, unshown = _shown(suite, main) if "position" in suite.tests else ((), "")
    return Laid(main, far, trials.base(main), tuple(found), tuple(Attempt(*one) for one in attempts), shown, unshown)


def _check(suite: Suite) -> None:
    """Refuse what no suite can be about."""
    for test in suite.tests:
        if test not in TESTS:
            raise DataError(f"no test {test!r}; {nearest(test, TESTS)}")
    unused = [given for given, test in ((suite.others, "others"), (suite.variations, "queries"), (suite.attacks, "documents"))
              if given and test not in suite.tests]  # fmt: skip
    if unused:
        raise DataError(
            f"{unused[0]!r} was given for a test that is not asked for; ask for {', '.join(TESTS)} by --test"
        )
    if suite.shuffles < 0 or suite.repeats < 0:
        raise DataError(f"{suite.shuffles} shuffles and {suite.repeats} repeats; give 0 or more of each")
    counts = (suite.position_queries, 1 if suite.position_groups is None else suite.position_groups)
    if min(counts) < 1 or suite.position_shuffles < 0:
        given = f"{suite.position_queries} queries, {suite.position_groups} groups, {suite.position_shuffles} shuffles"
        raise DataError(f"{given} for the test of positions; give 1 or more, 1 or more, 0 or more")


def _shown(suite: Suite, main: Subject) -> tuple[tuple[Shown, ...], str]:
    """What the test of positions shows, or why nothing."""
    given = suite.experiment.recipe
    judges = position.comparing(given if isinstance(given, Recipe) else find(given))
    if not judges:
        return (), "the recipe judges the relevance of one passage at a time"
    draw = Draw(suite.position_queries, suite.position_groups, suite.position_shuffles)
    every = [position.shown(main, judge, widest, draw, suite.seed) for judge, widest in judges]
    found = tuple(one for one in every if one is not None)
    return found, "" if found else "most queries have fewer than two candidates"


def subject_of(experiment: Experiment) -> Subject:
    """A collection's judged queries and their candidates; queries without candidates are counted and left out.

    Raises:
        DataError: bad input, no judgements, or no candidates at all.
    """
    collection, experiment = opened(experiment)
    split = split_of(collection, experiment)
    if split is None:
        raise DataError("no judgements in this collection; robustness is measured against them", path=collection.folder)
    qrels = collection.qrels(split)
    every = list(first_stage(collection, queries_of(collection, split, experiment), experiment))
    many = tuple(one for one in every if one.docs and one.query.id in qrels)
    if not many:
        raise DataError("no judged query of this collection has candidates", path=collection.folder)
    judged = {one.query.id: qrels[one.query.id] for one in many}
    left_out = sum(not one.docs for one in every)
    return Subject(str(experiment.collection), many, judged, collection.facts.relevant, left_out)


def measured(subject: Subject, orders: Mapping[str, Sequence[str]], measure: str) -> dict[str, float]:
    """The measure's value for each query of ``orders``, which are document ids, best first.

    Raises:
        DataError: no such measure, or one that has no value for a single query.
    """
    from ponderank.metrics.ranked import per_query

    run = {query: [(doc, float(-at)) for at, doc in enumerate(docs)] for query, docs in orders.items()}
    found = per_query({query: subject.qrels[query] for query in orders}, run, [measure])[measure]
    if found.keys() != orders.keys():
        raise DataError(f"{measure} is not a measure of single queries; give one that is, such as nDCG@10")
    return found


def first_order(subject: Subject) -> dict[str, tuple[str, ...]]:
    """The first stage's rankings."""
    return {one.query.id: tuple(doc.id for doc in one.docs) for one in subject.many}
