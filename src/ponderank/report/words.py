"""What is said in words, whatever a report is written as: numbers, the short summary, how things were done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ponderank.metrics.compare import Comparison
from ponderank.report.content import How, Report, Said, Section, System

COSTS = {
    "calls": "calls", "read": "tokens read", "written": "tokens written", "flaws": "flawed documents", "seconds": "seconds",
    "cost": "cost",
}  # fmt: skip
"""What is known of a query's cost, in words."""


def value(number: float | None) -> str:
    """A measure's value.

    >>> value(0.5), value(None)
    ('0.5000', '–')
    """
    return "–" if number is None or math.isnan(number) else f"{number:.4f}"


def signed(number: float, digits: int = 4) -> str:
    """A difference, with a real minus sign.

    >>> signed(-0.25), signed(0.0)
    ('−0.2500', '+0.0000')
    """
    return f"{number:+.{digits}f}".replace("-", "−")


def short(number: float | None) -> str:
    """A cost, to four digits.

    >>> short(12345.678), short(0.01234)
    ('12,346', '0.01234')
    """
    return "–" if number is None else f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def p_value(number: float) -> str:
    """A p-value; what is smaller than is worth saying is said to be.

    >>> p_value(0.03), p_value(1e-9), p_value(float("nan"))
    ('0.0300', '<0.0001', '–')
    """
    return "–" if math.isnan(number) else "<0.0001" if number < 0.0001 else f"{number:.4f}"


def corrected(one: Comparison, how: How) -> str:
    """The p-value that decides, with a ``*`` below alpha."""
    return p_value(one.adjusted_p) + ("*" if one.adjusted_p < how.alpha else "")


def interval(one: Comparison) -> str:
    """The interval of a difference."""
    return f"[{signed(one.low)}, {signed(one.high)}]"


def comparison_head(how: How) -> list[str]:
    """The columns of ``comparison``."""
    interval_ = f"{100 * (1 - how.alpha):g} % interval"
    return ["difference", interval_, "effect", "p (t)", "p (randomisation)", "p corrected", "win/tie/loss", "queries"]


def comparison(one: Comparison, how: How) -> list[str]:
    """A system against the baseline, as cells."""
    effect = "–" if math.isnan(one.effect) else f"{one.effect:.2f}".replace("-", "−")
    tests = [p_value(one.t_p), p_value(one.randomisation_p), corrected(one, how)]
    return [signed(one.difference), interval(one), effect, *tests, f"{one.wins}/{one.ties}/{one.losses}", f"{one.n:,}"]


def bounded(section: Section) -> list[str]:
    """The measures that have bounds."""
    return [measure for measure in section.measures if any(measure in system.bounds for system in section.systems)]


def first_few(names: Sequence[str], count: int = 5) -> str:
    """Some names, and whether there are more.

    >>> first_few(["a", "b", "c"], 2)
    'a, b, …'
    """
    return ", ".join([*names[:count], *(["…"] if len(names) > count else [])])


def summary(section: Section, how: How) -> str:
    """The first thing to know: which system is highest on the main measure, and whether that is more than chance."""
    main = section.main
    best = max(section.systems, key=lambda system: system.measures[main])
    said = f"{best.name} has the highest {main}, {value(best.measures[main])}"
    if section.baseline is None:
        return said + "."
    if best.name == section.baseline:
        return said + "; it is the baseline."
    one = best.compared[main]
    sure = "more than chance would give" if one.adjusted_p < how.alpha else "which chance could give"
    name = {"holm": "after Holm's correction", "none": "uncorrected"}[how.correction]
    return (
        f"{said}: {signed(one.difference)} over {section.baseline}, {sure} "
        f"({'t-test' if how.test == 't' else 'randomisation test'}, p {p_value(one.adjusted_p)} {name}; {one.n:,} queries)."
    )


def about(section: Section) -> list[str]:
    """What the collection is and what was measured."""
    split = f", split {section.split}" if section.split else ""
    graded = f"grades up to {section.top_grade}, relevant from {section.relevant} on"
    return [
        *([section.about] if section.about else []),
        f"{section.queries:,} judged queries{split}; {graded}.",
        *map(sentence, section.notes),
    ]


def sentence(text: str) -> str:
    """Text with a capital and a full stop.

    >>> sentence("all is well")
    'All is well.'
    """
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def compared_how(how: How, baseline: str) -> str:
    """How the comparison was done, in a sentence."""
    tests = {"t": "paired t-test", "randomisation": "randomisation test"}
    fixed = "Holm's correction over the systems" if how.correction == "holm" else "no correction"
    return (
        f"Against {baseline}, two-sided; * marks p-values of the {tests[how.test]} below {how.alpha:g} after {fixed}. "
        f"Intervals of {100 * (1 - how.alpha):g} % are from a bootstrap over queries (seed {how.seed})."
    )


def bounds_said(section: Section) -> str:
    """What the bounds mean."""
    return (
        "From nothing that is unjudged in a measure's top k being relevant (the value itself) to all of it having the top grade, "
        f"{section.top_grade}; k is the measure's cut-off, {section.depth} where it has none. P@k, Success and RR cannot lie "
        "outside; nDCG, AP and recall divide by what is relevant, which then grows too, so that a mix can."
    )


def costs_of(section: Section) -> list[str]:
    """The kinds of cost that are known of some system, in their order."""
    known = {name for system in section.systems for name in system.cost}
    return [name for name in COSTS if name in known]


def flaws_said(system: System) -> str:
    """Flawed documents by flaw.

    Empty where there is none.
    """
    return ", ".join(f"{count:,} {name}" for name, count in sorted(system.flaws.items()))


def moves_said(system: System) -> str:
    """Relevant documents brought into the top and taken out of it."""
    return "" if system.moves is None else f"{system.moves.into:,} in, {system.moves.out:,} out"


def figures_of(said: Said) -> list[str]:
    """What is known of a document in a system beside its rank and verdict."""
    return [
        *([f"score {said.score:.3f}".replace("-", "−")] if said.score is not None else []),
        *([f"prob {said.prob:.3f}"] if said.prob is not None else []),
        *([f"{said.asked} judgements"] if said.asked > 1 else []),
        *([said.estimate] if said.estimate else []),
    ]


def rank_of(said: Said) -> str:
    """Its rank, behind the first stage's where that was another.

    >>> rank_of(Said("x", 2, first_rank=9)), rank_of(Said("x", None))
    ('rank 9 → 2', 'not ranked')
    """
    if said.rank is None:
        return "not ranked"
    return f"rank {said.rank}" if said.first_rank in (None, said.rank) else f"rank {said.first_rank} → {said.rank}"


def flat(value_: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    """A manifest as names and values, inner names behind a full stop.

    >>> list(flat({"a": {"b": 1}, "c": None}))
    [('a.b', '1'), ('c', 'none')]
    """
    if isinstance(value_, Mapping):
        for key, inner in value_.items():
            yield from flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value_, list):
        yield (
            prefix,
            ", ".join(str(dict(flat(one))) if isinstance(one, Mapping) else str(one) for one in value_) or "none",
        )
    else:
        yield prefix, "none" if value_ is None or value_ == "" else str(value_)


def ranked(report: Report) -> list[str]:
    """The systems over all collections, best first by the mean, else by Bradley–Terry."""
    assert report.overall is not None
    found = report.overall.standings
    rule = "mean" if found.common else "bradley-terry"
    return sorted(found.tasks, key=lambda system: found.ranks[rule][system])


def overall_said(report: Report) -> list[str]:
    """What the rules agree on, and what not."""
    assert report.overall is not None
    found = report.overall.standings
    out = [f"Beats every other one on most collections: {found.condorcet or 'no system'}."]
    shared = len(found.common)
    counted = (
        f"the {shared} collections that all systems have"
        if shared > 1
        else "the one that all systems have"
        if shared
        else "none"
    )
    out.append(f"Mean and Borda count {counted}; the others those that two systems share.")
    out += [f"{a} before {b}: {', '.join(one)}; after: {', '.join(other)}." for a, b, one, other in found.disputed]
    return out if found.disputed else [*out, "No two rules disagree about a pair of systems."]
