"""p-MRR and NevIR's score equal mteb's own, with ties as mteb breaks them. ``mteb_reference.py`` made the numbers."""

import json

import pytest
from mteb_reference import ANSWERS, answers, followir, nevir

from ponderank.metrics.ranked import per_query, summary


def _ours(task, measure):
    qrels, run = task
    lists = {query: list(docs.items()) for query, docs in run.items()}
    return summary(per_query(qrels, lists, [measure], ties="trec"))[measure]


def test_p_mrr_equals_mteb():
    known = json.loads(ANSWERS.read_text())["p-MRR"]
    assert len(known) == 100
    assert [_ours(followir(seed), "pMRR") for seed in range(100)] == pytest.approx(known, abs=1e-12)


def test_paired_accuracy_by_first_place_equals_mteb():
    known = json.loads(ANSWERS.read_text())["paired_accuracy"]
    assert [_ours(nevir(seed), "PairedAccuracy(strict=False)") for seed in range(100)] == known


def test_mteb_counts_pairs_that_a_tie_decided():
    """Strict accuracy is never above mteb's, and below it in tasks with ties."""
    known = json.loads(ANSWERS.read_text())["paired_accuracy"]
    strict = [_ours(nevir(seed), "PairedAccuracy") for seed in range(100)]
    ties = [_ours(nevir(seed), "PairedTies") for seed in range(100)]
    assert all(ours <= theirs <= ours + tied for ours, theirs, tied in zip(strict, known, ties, strict=True))
    assert any(ours < theirs for ours, theirs in zip(strict, known, strict=True))


def test_the_numbers_kept_are_what_mteb_says_today():
    metrics = pytest.importorskip("mteb._evaluators.retrieval_metrics")
    known = json.loads(ANSWERS.read_text())
    for name, values in answers(metrics, 100).items():
        assert values == pytest.approx(known[name], abs=1e-12)
