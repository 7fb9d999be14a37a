"""Equal to trec_eval: through pytrec_eval on thousands of runs, to the program itself where it is installed, to the definitions."""

import math
import random
import shutil
import subprocess

import pytest

from ponderank.metrics.ranked import canonical, evaluate, per_query

NAMES = {
    "nDCG@10": "ndcg_cut_10", "nDCG": "ndcg", "AP": "map", "AP@5": "map_cut_5", "RR": "recip_rank", "P@5": "P_5",
    "R@10": "recall_10", "Rprec": "Rprec", "Bpref": "bpref", "Success@1": "success_1",
}  # fmt: skip
THEIR_NAMES = {
    "ndcg_cut.10",
    "ndcg",
    "map",
    "map_cut.5",
    "recip_rank",
    "P.5",
    "recall.10",
    "Rprec",
    "bpref",
    "success.1",
}


def _task(rng, *, queries=3):
    """Grades from -1 to 3, judged and unjudged documents, scores that tie, queries that are missing or not judged."""
    docs = [f"d{n}" for n in range(16)]
    qrels = {f"q{q}": {d: rng.choice([-1, 0, 0, 1, 2, 3]) for d in rng.sample(docs, 8)} for q in range(queries)}
    run = {
        f"q{q}": [(d, rng.randrange(6) / 2) for d in rng.sample(docs, rng.randrange(1, 14))]
        for q in range(queries + 1)
        if rng.random() < 0.85
    }
    return qrels, run


def _theirs(qrels, run, **more):
    import pytrec_eval

    evaluator = pytrec_eval.RelevanceEvaluator(qrels, THEIR_NAMES, **more)
    return evaluator.evaluate({query: dict(docs) for query, docs in run.items()})


def _same(ours, theirs, names, qrels):
    for name, their_name in names.items():
        expected = {query: theirs.get(query, {}).get(their_name, 0.0) for query in qrels}
        assert ours[name] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize("seed", range(8))
def test_with_ties_as_trec_eval_breaks_them(seed):
    """Two hundred runs a seed, as they are."""
    rng = random.Random(seed)
    for _ in range(200):
        qrels, run = _task(rng)
        _same(per_query(qrels, run, list(NAMES), ties="trec"), _theirs(qrels, run), NAMES, qrels)


def test_with_ties_as_the_file_has_them():
    """Five hundred runs, given to trec_eval with scores that say the order."""
    rng = random.Random(100)
    for _ in range(500):
        qrels, run = _task(rng)
        untied = {query: list(docs.items()) for query, docs in canonical(run).items()}
        _same(per_query(qrels, run, list(NAMES)), _theirs(qrels, untied), NAMES, qrels)


def test_binarised_as_deep_learning_tracks_are():
    """Grade 1 is not relevant: AP(rel=2), RR(rel=2), and RR@10 with it, the MRR of DL19 and DL20."""
    rng = random.Random(200)
    names = {"AP(rel=2)": "map", "RR(rel=2)": "recip_rank", "P(rel=2)@5": "P_5", "R(rel=2)@10": "recall_10"}
    for _ in range(300):
        qrels, run = _task(rng)
        theirs = _theirs(qrels, run, relevance_level=2)
        ours = per_query(qrels, run, [*names, "RR(rel=2)@10"], ties="trec")
        _same(ours, theirs, names, qrels)
        cut = {query: value if value >= 0.1 else 0.0 for query, value in ours["RR(rel=2)"].items()}
        assert ours["RR(rel=2)@10"] == pytest.approx(cut)


def _by_definition(grades, ranked):
    gains = [max(0, grades.get(doc, 0)) for doc in ranked]
    ideal = sorted((max(0, grade) for grade in grades.values()), reverse=True)[:10]
    dcg, best = (sum(gain / math.log2(rank + 1) for rank, gain in enumerate(list_, 1)) for list_ in (gains[:10], ideal))
    hits = [rank for rank, gain in enumerate(gains, 1) if gain > 0]
    relevant = sum(grade > 0 for grade in grades.values())
    ap = sum(count / rank for count, rank in enumerate(hits, 1)) / relevant if relevant else 0.0
    judged = sum(doc in grades for doc in ranked[:10]) / len(ranked[:10]) if ranked else 0.0
    return {
        "nDCG@10": dcg / best if best else 0.0, "AP": ap, "RR@10": 1 / hits[0] if hits and hits[0] <= 10 else 0.0,
        "Judged@10": judged,
    }  # fmt: skip


def test_equal_to_the_definitions():
    rng = random.Random(300)
    for _ in range(300):
        qrels, run = _task(rng)
        ours = per_query(qrels, run, ["nDCG@10", "AP", "RR@10", "Judged@10"], ties="trec")
        for query, grades in qrels.items():
            ranked = sorted(run.get(query, []), key=lambda item: (item[1], item[0]), reverse=True)
            for name, value in _by_definition(grades, [doc for doc, _ in ranked]).items():
                assert ours[name][query] == pytest.approx(value), (name, query)


@pytest.mark.skipif(shutil.which("trec_eval") is None, reason="the program trec_eval is not installed")
def test_equal_to_the_program_trec_eval(tmp_path):
    """It prints four decimals; ``-c`` makes its means those over all judged queries."""
    rng = random.Random(400)
    for _ in range(50):
        qrels, run = _task(rng, queries=20)
        (tmp_path / "qrels").write_text("".join(f"{q} 0 {d} {g}\n" for q in qrels for d, g in qrels[q].items()))
        (tmp_path / "run").write_text("".join(f"{q} Q0 {d} 1 {s} x\n" for q in run for d, s in run[q]))
        command = ["trec_eval", "-q", "-c", "-m", "all_trec", "-m", "map_cut.5", tmp_path / "qrels", tmp_path / "run"]
        rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        told = {(name, query): value for name, query, value in (row.split() for row in rows)}
        ours = per_query(qrels, run, list(NAMES), ties="trec")
        means = evaluate(qrels, {"run": run}, list(NAMES), ties="trec")["run"]
        for name, their_name in NAMES.items():
            assert means[name] == pytest.approx(float(told[their_name, "all"]), abs=5.1e-5), name
            for query, value in ours[name].items():
                assert value == pytest.approx(float(told.get((their_name, query), 0.0)), abs=5.1e-5), (name, query)
