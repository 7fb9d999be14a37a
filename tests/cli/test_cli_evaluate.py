"""Comparisons, ties, self-matches and costs on the command line; ``test_cli_others.py`` has the plain evaluation."""

import json

import pytest


@pytest.fixture
def files(tmp_path):
    qrels, first, better = tmp_path / "qrels", tmp_path / "first.trec", tmp_path / "better.trec"
    queries = [f"q{n}" for n in range(8)]
    qrels.write_text("".join(f"{query} 0 good 1\n{query} 0 bad 0\n" for query in queries))
    first.write_text("".join(f"{q} Q0 bad 1 2 t\n{q} Q0 good 2 {1 + (q > 'q4')} t\n" for q in queries))
    better.write_text("".join(f"{q} Q0 good 1 2 t\n{q} Q0 bad 2 1 t\n{q} Q0 {q} 3 0 t\n" for q in queries))
    return qrels, first, better


@pytest.fixture
def folder(tmp_path):
    """What ``ponderank run`` leaves, of two queries; the raw scores of q0 tie."""
    out = tmp_path / "out"
    out.mkdir()
    lines = []
    for query, scores in (("q0", (1.5, 1.5)), ("q1", (2.0, 1.0))):
        docs = [
            {"id": doc, "score": score, "flaw": "truncated" if doc == "bad" else None}
            for doc, score in zip(("good", "bad"), scores, strict=True)
        ]
        lines.append({"query": query, "calls": 2, "prompt_tokens": 300, "output_tokens": 50, "docs": docs})
    (out / "run.trec").write_text("".join(f"{q} Q0 good 1 2 t\n{q} Q0 bad 2 1 t\n" for q in ("q0", "q1")))
    (out / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (out / "timing.json").write_text('{"seconds": 3.0, "calls": 4, "queries": 2}')
    return out


def test_runs_are_compared_with_a_baseline(ponderank, files):
    qrels, first, better = files
    words = ("-m", "nDCG@10", "-m", "Judged@10", "--baseline", first, "--correction", "holm")
    process = ponderank("evaluate", qrels, first, better, *words)
    assert process.returncode == 0, process.stderr
    row = next(line.split() for line in process.stdout.splitlines() if line.startswith(str(better)) and "+0." in line)
    assert row[1:3] == ["nDCG@10", "+0.3691"]
    assert row[-2:] == ["8/0/0", "8"]
    assert "ties broken by the run's own order (6 documents in the top 10 of 3 queries)" in process.stderr


def test_with_a_baseline_json_holds_everything(ponderank, files):
    qrels, first, better = files
    words = ("-m", "RR@10", "--baseline", first, "--format", "json", "--seed", "7")
    told = json.loads(ponderank("evaluate", qrels, better, *words).stdout)
    assert told["measures"] == {str(first): {"RR@10": 0.5}, str(better): {"RR@10": 1.0}}
    assert told["comparison"]["seed"] == 7
    found = told["comparison"]["measures"]["RR@10"][str(better)]
    assert (found["difference"], found["wins"], found["n"]) == (0.5, 8, 8)
    assert found["randomisation_p"] == pytest.approx(2 / 2**8)
    assert told["handling"][str(better)]["self_matches"] == 8


def test_per_query_shows_differences_to_the_baseline(ponderank, files):
    qrels, first, better = files
    process = ponderank("evaluate", qrels, better, "-m", "RR@10", "--per-query", "--baseline", first, "--format", "md")
    assert f"| {better} | q0 | 1.0000 | +0.5000 |" in process.stdout.splitlines()


def test_ties_and_self_matches_are_handled_as_asked(ponderank, files):
    qrels, first, _ = files
    words = ("-m", "RR@10", "--format", "json", "--drop-self")
    process = ponderank("evaluate", qrels, first, "--ties", "trec", *words)
    assert json.loads(process.stdout)[str(first)]["RR@10"] == pytest.approx((5 * 0.5 + 3) / 8)
    assert "as trec_eval does" in process.stderr
    process = ponderank("evaluate", qrels, first, "--ties", "first-stage", *words)
    assert process.returncode == 2
    assert "need the first stage's run" in process.stderr


def test_a_folder_shows_what_a_query_cost(ponderank, files, folder):
    words = ("-m", "nDCG@10", "--price", "1,10", "--format", "full")
    process = ponderank("evaluate", files[0], folder, *words)
    cost = json.loads(process.stdout)["cost_per_query"][str(folder)]
    assert cost == {"calls": 2, "read": 300, "written": 50, "flaws": 1, "seconds": 1.5, "cost": pytest.approx(0.0008)}
    assert json.loads(process.stdout)["handling"][str(folder)]["tied_documents"] == 2


def test_a_folder_without_a_run_says_so(ponderank, files, tmp_path):
    (tmp_path / "empty").mkdir()
    process = ponderank("evaluate", files[0], tmp_path / "empty")
    assert process.returncode == 2
    assert "no run.trec" in process.stderr


def test_systems_are_ranked_over_tasks(tmp_path, capsys):
    from ponderank.cli.evaluate_tables import Layout
    from ponderank.cli.systems import systems

    for task, values in (("one", (0.1, 0.2)), ("two", (0.3, 0.4)), ("three", (0.9, 0.1))):
        told = {f"runs/{task}/{name}.trec": {"nDCG@10": value} for name, value in zip("ab", values, strict=True)}
        (tmp_path / f"{task}.json").write_text(json.dumps(told))
    paths = [tmp_path / f"{task}.json" for task in ("one", "two", "three")]
    systems(paths, "nDCG@10", Layout.json, 0, 0)
    told = json.loads(capsys.readouterr().out)
    assert told["rules"]["mean"]["a"]["rank"] == told["rules"]["copeland"]["b"]["rank"] == 1
    systems(paths, "nDCG@10", Layout.table, 10, 0)
    said = capsys.readouterr().out
    assert "beats every other one on most tasks: b" in said
    assert "a before b: mean; after: borda, bradley-terry, copeland, minimax" in said
