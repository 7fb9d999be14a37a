"""Pairs, rows and a teacher to test with."""

from ponderank.backends.adapters import Batched
from ponderank.distill.pairs import Pair
from ponderank.distill.shards import Collected
from ponderank.formats.teacher import Trace
from ponderank.types import Doc, Generate, Query, Reply, Usage


def pair(number=0, part="positives", label=1, text=None):
    return Pair(Query(f"q{number}", f"question {number}"), Doc(f"d{number}", text or f"passage {number}"), part, label)


def row(number=0, part="positives", label=1, verdict=True, sample=0, thought="it is as it is, so it is", finish="stop"):
    return Collected(pair(number, part, label), sample, Trace(thought, verdict), finish)


def teacher(asked=None, size=4, answer="<think>because {n}</think>true", fail_at=None):
    """A teacher that answers from the number in the question; notes what it was asked, dies at a call."""
    from ponderank.errors import BackendError

    log = [] if asked is None else asked

    def fn(calls):
        replies = []
        for call in calls:
            text = "".join(part.text for part in call.prompt)
            if fail_at is not None and len(log) >= fail_at:
                raise BackendError("gone", retryable=True)
            log.append(text)
            number = text.partition("question ")[2].partition("\n")[0]
            replies.append(Reply(answer.format(n=number), "stop", usage=Usage(1, 20, 0, 7, 0.1)))
        return replies

    return Batched(fn, size, can=frozenset({Generate}), fingerprint="teacher")
