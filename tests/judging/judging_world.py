"""A small world to judge: a collection, judgements with gaps, two runs; and how to give grades without a page."""

import json

from ponderank.judging.events import Event
from ponderank.judging.pool import Item, Pool
from ponderank.types import Doc, Query

HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script></script> & "quotes"'
QUERIES, DOCS = 6, 5


def write_world(folder):
    (folder / "qrels").mkdir(parents=True)
    queries = [{"_id": f"q{n}", "text": f"what is thing {n} made of?"} for n in range(QUERIES)]
    docs = [
        {
            "_id": f"d{n}{letter}",
            "title": f"Thing {n}",
            "text": f"Passage {letter} says that thing {n} is made of stuff.",
        }
        for n in range(QUERIES)
        for letter in "abcdef"
    ]
    docs[1]["text"] += HOSTILE
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in docs))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    judged = "".join(f"q{n} 0 d{n}a 2\nq{n} 0 d{n}f 0\n" for n in range(QUERIES))
    (folder / "old.qrels").write_text(judged)
    (folder / "A.trec").write_text(_run("bcdfa"))
    (folder / "B.trec").write_text(_run("aebcd"))
    return folder


def _run(letters):
    return "".join(
        f"q{n} Q0 d{n}{letter} {rank} {10 - rank} tag\n"
        for n in range(QUERIES)
        for rank, letter in enumerate(letters, 1)
    )


def pool(items=4, queries=2, **more):
    made = tuple(
        Item(
            Query(f"q{i % queries}", f"question {i % queries}"), Doc(f"d{i}", f"passage {i}"), "disagreeing", 1,
            (("secret-run", 7),),
        )
        for i in range(items)
    )  # fmt: skip
    return Pool(made, **more)


def graded(pool, assessor, grades, *, start=0, seconds=2.0):
    """An event a grade, on the pool's items in their order; None leaves one out."""
    return [
        Event(
            f"{assessor}-{start + place:06}", item.key, assessor, "grade", grade, seconds=seconds,
            time=f"2026-01-01T00:{start + place:02}:00+00:00",
        )
        for place, (item, grade) in enumerate(zip(pool.items, grades, strict=False))
        if grade is not None
    ]  # fmt: skip
