"""From rankings to figures: each test's own, and the five that are read first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any

from ponderank.retrieval.fusion import reciprocal_rank
from ponderank.robustness import figures
from ponderank.robustness.figures import Struck, Values, change, plain, promotion, spread, vnap
from ponderank.robustness.five import five
from ponderank.robustness.kept import Ranked
from ponderank.robustness.laid import Attempt, Laid, Suite, first_order, measured
from ponderank.robustness.order import agreement
from ponderank.robustness.places import Answer, Group, worth
from ponderank.robustness.position import Shown
from ponderank.robustness.questions import by_type
from ponderank.robustness.trials import Subject, Trial
from ponderank.robustness.variations import VARIATIONS

Found = Mapping[tuple[str, str], Mapping[str, Ranked]]
"""(test, trial) → query id → its ranking."""


_POSITION = "the position within a prompt was not tested (position); input orders cover it in part"


@dataclass(slots=True)
class _Read:
    """The rankings with what they are worth, worked out when first asked for."""

    suite: Suite
    laid: Laid
    found: Found
    _values: dict[tuple[str, str], Values] = field(default_factory=dict)

    def orders(self, trial: Trial) -> dict[str, tuple[str, ...]]:
        return {query: ranked.order for query, ranked in self.found[trial.test, trial.name].items()}

    def values(self, trial: Trial) -> Values:
        """The suite's measure by query; of a trial without queries nothing."""
        key = (trial.test, trial.name)
        if key not in self._values:
            orders = self.orders(trial)
            self._values[key] = measured(self.laid.main, orders, self.suite.measure) if orders else {}
        return self._values[key]

    def flaws(self, trial: Trial) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for ranked in self.found[trial.test, trial.name].values():
            counts.update(ranked.flaws)
        return dict(sorted(counts.items()))

    def trials(self, test: str) -> list[Trial]:
        return [trial for trial in self.laid.trials if trial.test == test]


def summarised(suite: Suite, laid: Laid, found: Found, *, widest: int = 1) -> dict[str, Any]:
    """Everything that ``results.json`` holds but the manifest, ready for JSON; a test that was not asked for is None.

    ``widest``: how many documents the recipe shows at once.
    """
    read = _Read(suite, laid, found)
    asked = {
        "order": _order, "repeats": _repeats, "queries": _variations, "others": _others, "documents": _documents,
        "position": _position,
    }  # fmt: skip
    told: dict[str, Any] = {"measure": suite.measure, "base": _base(read), "types": _types(read)}
    for test, figured in asked.items():
        told[test] = figured(read) if test in suite.tests else None
    told["calls_without_cache"] = sum(ranked.calls for rankings in found.values() for ranked in rankings.values())
    told["notes"] = [*_notes(read, told), *([_POSITION] if widest > 1 and "position" not in suite.tests else [])]
    told["five"] = five(told)
    return plain(told)  # type: ignore[no-any-return]


def _base(read: _Read) -> dict[str, Any]:
    """Undisturbed: the first stage and the recipe, each with its spread over queries and its VNAP."""
    main, base = read.laid.main, read.laid.base
    precision = "AP" if main.relevant == 1 else f"AP(rel={main.relevant})"
    told: dict[str, Any] = {"collection": main.name, "queries": len(main.many), "flaws": read.flaws(base)}
    told["candidates"] = fmean(len(one.docs) for one in main.many)
    for name, orders in (("first_stage", first_order(main)), ("reranked", read.orders(base))):
        values = measured(main, orders, read.suite.measure)
        told[name] = {**plain(spread(values)), "vnap": vnap(measured(main, orders, precision))}
    return told


def _gain(first: float, reranked: float, queries: int) -> dict[str, Any]:
    told = {"queries": queries, "first_stage": first, "reranked": reranked, "gain": reranked - first}
    return {**told, "relative_gain": figures.drop_rate(first, reranked)}


def _types(read: _Read) -> dict[str, Any]:
    """Gain over the first stage by type of question, of types with enough queries."""
    main = read.laid.main
    first, after = measured(main, first_order(main), read.suite.measure), read.values(read.laid.base)
    kinds = by_type({one.query.id: one.query.text for one in main.many})
    return {
        kind: _gain(fmean(first[q] for q in ids), fmean(after[q] for q in ids), len(ids)) for kind, ids in kinds.items()
    }


def _others(read: _Read) -> dict[str, Any]:
    """Gain over the first stage by collection, the suite's own first."""

    def gained(subject: Subject, trial: Trial) -> dict[str, Any]:
        first, after = (
            measured(subject, orders, read.suite.measure) for orders in (first_order(subject), read.orders(trial))
        )
        delta = change(first, after)
        bounds = {} if delta is None else {"low": delta.low, "high": delta.high, "lost": delta.lost}
        gain = _gain(fmean(first.values()), fmean(after.values()), len(after))
        return {**gain, **bounds, "without_candidates": subject.without_candidates, "flaws": read.flaws(trial)}

    pairs = [(read.laid.main, read.laid.base), *zip(read.laid.others, read.trials("others"), strict=True)]
    return {subject.name: gained(subject, trial) for subject, trial in pairs}


def _order(read: _Read) -> dict[str, Any]:
    """Means by input order; how much a query's value and ranking depend on it."""
    return _steadiness(read, [read.laid.base, *read.trials("order")])


def _repeats(read: _Read) -> dict[str, Any] | None:
    """The same for repetitions; scores are compared too."""
    tried = [read.laid.base, *read.trials("repeats")]
    if len(tried) == 1:
        return None
    told = _steadiness(read, tried)
    before = read.found["base", "base"]
    moved: list[float] = []
    for trial in tried[1:]:
        for query, ranked in read.found[trial.test, trial.name].items():
            was = dict(zip(before[query].order, before[query].scores, strict=True))
            for doc, score in zip(ranked.order, ranked.scores, strict=True):
                old = was[doc]
                moved.append(abs(score - old) if score is not None and old is not None else float(score is not old))
    return {
        **told,
        "scores_changed": fmean(value > 0 for value in moved),
        "largest_score_change": max(moved, default=0.0),
    }


def _steadiness(read: _Read, tried: list[Trial]) -> dict[str, Any]:
    """``sd`` is of the means (all there are, so over n); ``query_sd`` the mean over queries of each one's own; ``changed`` the share
    of queries whose ranking is not the same in all."""  # fmt: skip
    values = {trial.name: read.values(trial) for trial in tried}
    orders = {trial.name: read.orders(trial) for trial in tried}
    means = {name: fmean(found.values()) for name, found in values.items()}
    queries = list(next(iter(values.values())))
    agreed = [agreement([found[query] for found in orders.values()]) for query in queries]
    known = [tau for tau in agreed if tau is not None]
    return {
        "means": means, "mean": fmean(means.values()), "sd": pstdev(means.values()), "worst": min(means.values()),
        "query_sd": fmean(pstdev(found[query] for found in values.values()) for query in queries),
        "tau": fmean(known) if known else None,
        "changed": fmean(len({found[query] for found in orders.values()}) > 1 for query in queries),
    }  # fmt: skip


def _variations(read: _Read) -> dict[str, Any]:
    """What each variation changed; and all of a query's variations together, fused, as a remedy."""
    base, tried = read.values(read.laid.base), read.trials("queries")
    told: dict[str, Any] = {}
    for trial in tried:
        texts = [(one.query.id, one.query.text) for one in trial.many]
        told[trial.name] = {
            "kind": VARIATIONS[trial.name].kind, "not_applicable": len(base) - len(texts), "flaws": read.flaws(trial),
            "examples": [text for _, text in texts[:3]], **(plain(change(base, read.values(trial))) or {}),
        }  # fmt: skip
    fused: dict[str, list[list[tuple[str, float]]]] = {}
    for trial in tried:
        for query, order in read.orders(trial).items():
            fused.setdefault(query, []).append([(doc, float(-at)) for at, doc in enumerate(order)])
    orders = {query: [doc for doc, _ in reciprocal_rank(runs)] for query, runs in fused.items()}
    remedy = change(base, measured(read.laid.main, orders, read.suite.measure)) if orders else None
    return {"variations": told, "fused": plain(remedy)}


def _documents(read: _Read) -> dict[str, Any]:
    """What each attack gained at each place, beside its control."""
    base, main = read.values(read.laid.base), read.laid.main
    attacks = {}
    for attempt in read.laid.attempts:
        gained = promotion(_struck(read, attempt, base))
        if gained is not None:
            words = fmean(len(aim.text.split()) for aim in attempt.aims)
            attacks[attempt.trial.name] = {**gained, "words": words, "flaws": read.flaws(attempt.trial)}
    aims = {(aim.query, aim.doc) for attempt in read.laid.attempts for aim in attempt.aims}
    judged = sum(main.qrels[query].get(doc, main.relevant) < main.relevant for query, doc in aims)
    return {"attacks": attacks, "targets": len(aims), "targets_judged": judged}


def _struck(read: _Read, attempt: Attempt, base: Values) -> list[Struck]:
    trials = (read.laid.base, attempt.trial, attempt.control)
    orders, values = [read.orders(trial) for trial in trials], (base, *(read.values(trial) for trial in trials[1:]))
    out = []
    for aim in attempt.aims:
        first, second, third = (order[aim.query].index(aim.doc) + 1 for order in orders)
        undisturbed, attacked, control = (found[aim.query] for found in values)
        out.append(Struck((first, second, third), (undisturbed, attacked, control)))
    return out


def _position(read: _Read) -> dict[str, Any] | None:
    """What a place in the prompt is worth, by judge; None where no judge compares passages."""
    judges = [{"judge": one.judge, **worth(_answers(read, one), one.width)} for one in read.laid.shown]
    return {"judges": judges} if judges else None


def _answers(read: _Read, one: Shown) -> dict[str, list[Group]]:
    """All answers of a judge by query and group."""
    found: dict[str, list[Group]] = {}
    for group in one.groups:
        told: dict[str, list[tuple[Answer, Answer]]] = {}
        for ahead, back in group:
            answers = [_answered(read, trial) for trial in (ahead, back)]
            for query, answer in answers[0].items():
                told.setdefault(query, []).append((answer, answers[1][query]))
        for query, both in told.items():
            found.setdefault(query, []).append(both)
    return found


def _answered(read: _Read, trial: Trial) -> dict[str, Answer]:
    kept, order = read.found[trial.test, trial.name], trial.name.rpartition("/")[2]
    told = {}
    for one in trial.many:
        ranked, docs = kept[one.query.id], tuple(doc.id for doc in one.docs)
        scores = dict(zip(ranked.order, ranked.scores, strict=True))
        told[one.query.id] = Answer(docs, tuple(scores[doc] for doc in docs), next(iter(ranked.flaws), ""), order)
    return told


def _notes(read: _Read, told: Mapping[str, Any]) -> list[str]:
    """What a reader has to know, and what was not measured."""
    main, suite, notes = read.laid.main, read.suite, []
    if main.without_candidates:
        notes.append(f"{main.without_candidates} queries without candidates are left out")
    if len(told["types"]) < 2:
        notes.append("the queries are of one type, as far as rules can tell: nothing is said about types")
    if told["queries"] is not None:
        notes.append(
            "no human looked at the query variations: some may ask for something else, so losses are upper bounds"
        )
    if told["documents"] is not None:
        assumed = told["documents"]["targets"] - told["documents"]["targets_judged"]
        if assumed:
            notes.append(
                f"{assumed} of {told['documents']['targets']} attacked passages are not judged, and taken for not relevant"
            )
        missed = sorted({one.trial.name.rsplit("/", 1)[0] for one in read.laid.attempts if not one.aims})
        if missed:
            notes.append(f"found no passage to attack: {', '.join(missed)}")
    if told["others"] is not None and not read.laid.others:
        notes.append("no other collection was given (--other): nothing is said about unforeseen ones")
    if read.laid.unshown:
        notes.append(f"position is left out: {read.laid.unshown}")
    left = [test for test in ("order", "repeats", "queries", "documents", "others") if test not in suite.tests]
    if left:
        notes.append(f"not asked for: {', '.join(left)}")
    return notes
