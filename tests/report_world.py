"""A small world to report on: a collection, and folders as ``ponderank run`` leaves them, written by its own functions."""

import json

from ponderank import manifest as manifests
from ponderank.data.trec import write_run
from ponderank.trace import write_trace
from ponderank.types import Doc, Judgement, Query, Ranking, Step, Usage

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"></title></style>"
    "<svg onload=alert(1)>--><!-- ]]> ' \" & javascript:alert(1) {{7*7}} | `x` **b** [l](http://evil.example/)\x00\u202e\ud800"
)
ID = "</script><svg/onload=alert(1)>'|`x`&"
QUERIES, DOCS = 6, 12


def write_collection(
    folder, *, text="Passage {n}{letter} says that thing {n} is made of stuff. It says no more.", name="q"
):
    (folder / "qrels").mkdir(parents=True)
    rows = [
        {"_id": f"{name}{n}{letter}", "title": f"Thing {n}", "text": text.replace("{n}", str(n)).replace("{letter}", letter)}
        for n in range(QUERIES) for letter in "abcdefghijkl"[:DOCS]
    ]  # fmt: skip
    _jsonl(folder / "corpus.jsonl", rows)
    _jsonl(
        folder / "queries.jsonl", [{"_id": f"{name}{n}", "text": f"what is thing {n} made of?"} for n in range(QUERIES)]
    )
    judged = "".join(
        f"{name}{n}\t{name}{n}c\t2\n{name}{n}\t{name}{n}f\t1\n{name}{n}\t{name}{n}a\t0\n" for n in range(QUERIES)
    )
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


def _jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def letters(best, queries=QUERIES):
    """By query number, the letters of its documents in order; ``best`` maps a number to what comes first."""
    rest = "abcdefghijkl"[:DOCS]
    return {n: best.get(n, "") + "".join(c for c in rest if c not in best.get(n, "")) for n in range(queries)}


def write_folder(folder, collection, order, *, name="q", thought="", verdict="", limit=None, recipe="fake", seconds=3.0,
                 first=None, flaw=None):  # fmt: skip
    """A finished run: ``order`` as of ``letters``; the first stage's order is the alphabet's, or ``first``."""
    folder.mkdir(parents=True)
    rankings = [
        _ranking(name, n, ranked, first or "abcdefghijkl"[:DOCS], thought, verdict, flaw) for n, ranked in order.items()
    ]
    traced = write_trace(iter(rankings), len(rankings), folder / "trace.jsonl")
    write_run(traced.order, folder / "run.trec")
    qrels = collection / "qrels" / "test.tsv"
    told = {
        "recipe": {"name": recipe, "format": {"kind": "Fake"}}, "model": {"path": "nowhere", "fingerprint": "fake"},
        "collection": {"path": str(collection), "corpus": str(collection), "qrels": manifests.file_hash(qrels)},
        "first_stage": {"kind": "bm25"}, "versions": {"python": "3"},
        "options": {"split": "test", "k": 10, "limit": limit, "measures": ["nDCG@10", "RR@10"], "drop_self": False},
    }  # fmt: skip
    manifests.write_whole(folder / "manifest.json", manifests.dumped(told))
    if seconds is not None:
        (folder / "timing.json").write_text(json.dumps({"seconds": seconds, "calls": 1, "queries": len(rankings)}))
    return folder


def _ranking(name, n, ranked, first, thought, verdict, flaw):
    usage = Usage(calls=len(ranked), prompt_tokens=100, output_tokens=10)
    steps = tuple(
        Step((at,), Judgement((0.0,), reasoning=thought, verdict=verdict, prompt="asked" if thought else "", usage=usage,
                              flaw=flaw if letter == "b" else None))
        for at, letter in enumerate(first)
    )  # fmt: skip
    docs = tuple(Doc(f"{name}{n}{letter}", "") for letter in ranked)
    scores = tuple(float(len(ranked) - at) for at in range(len(ranked)))
    order = tuple(first.index(letter) for letter in ranked)
    priors = tuple(float(len(first) - at) for at in order)
    return Ranking(Query(f"{name}{n}", ""), docs, scores, order=order, trace=steps, usage=usage, priors=priors)


def write_hostile(root):
    """A collection and two runs with hostile names, ids, texts, titles, queries, thoughts, verdicts and manifests."""
    collection = write_collection(root / "a<b>&'\"", text=f"{HOSTILE} thing {{n}} is made of stuff {HOSTILE}", name=ID)
    for name in ("corpus.jsonl", "queries.jsonl"):
        path = collection / name
        path.write_text(
            path.read_text()
            .replace('"title": "Thing', f'"title": {json.dumps(HOSTILE)[:-1]} Thing')
            .replace("what is", json.dumps(HOSTILE)[1:-1])
        )
    return [
        write_folder(root / "<img src=x onerror=alert(1)>", collection, letters({0: "cf", 1: "c"}), name=ID, recipe=HOSTILE,
                     thought=f"{HOSTILE} thing 0 is made of stuff {HOSTILE}", verdict=HOSTILE, flaw="<b>incomplete"),
        write_folder(root / "`x`|[y](z)", collection, letters({2: "bdegh"}), name=ID),
    ]  # fmt: skip
