import threading
import time
from concurrent.futures import CancelledError

import pytest

from ponderank import Candidates, Doc, Engine, Query, Recipe
from ponderank.backends.adapters import Batched, Shared
from ponderank.background import Background
from ponderank.errors import BackendError
from ponderank.formats.classify import CrossEncoder
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Reply

ALONE = Recipe("alone", "none", CrossEncoder(), Pointwise())


def candidates(*texts):
    return Candidates(Query("q", "q"), tuple(Doc(str(i), text) for i, text in enumerate(texts)))


class Gate:
    """A function for `Batched` that waits until opened, and breaks on a batch with "bad" in it."""

    def __init__(self, *, is_open=True):
        self.begun, self.opened = threading.Event(), threading.Event()
        self.sizes = []
        if is_open:
            self.opened.set()

    def __call__(self, calls):
        self.begun.set()
        self.opened.wait(10)
        self.sizes.append(len(calls))
        if any(call.text == "bad" for call in calls):
            raise BackendError("broken")
        return [Reply(scores=(float(len(call.text)),)) for call in calls]


def background(gate, **options):
    shared = Shared(Batched(gate, size=1000))
    return Background(lambda: Engine(ALONE, shared.channel()), **options)


def test_what_is_submitted_meanwhile_shares_the_next_step():
    gate = Gate(is_open=False)
    work = background(gate)
    futures = [work.submit(candidates("a"))]
    gate.begun.wait(10)
    futures += [work.submit(candidates("a", "bb")) for _ in range(10)]
    gate.opened.set()
    assert [len(future.result(10)) for future in futures] == [1] + [2] * 10
    work.close()
    assert gate.sizes == [1, 20]


def test_only_the_guilty_fail():
    gate = Gate(is_open=False)
    work = background(gate)
    futures = [work.submit(candidates(text)) for text in ("a", "bb", "bad", "cccc")]
    gate.opened.set()
    with pytest.raises(BackendError, match="broken"):
        futures.pop(2).result(10)
    assert [future.result(10).scores for future in futures] == [(1.0,), (2.0,), (4.0,)]
    work.close()


def test_few_are_under_way_at_once():
    gate = Gate()
    work = background(gate, together=3)
    futures = [work.submit(candidates("a")) for _ in range(20)]
    assert all(len(future.result(10)) == 1 for future in futures)
    work.close()
    assert max(gate.sizes) <= 3


def test_close_finishes_what_was_submitted():
    work = background(Gate(), together=2)
    futures = [work.submit(candidates("a")) for _ in range(10)]
    work.close()
    assert all(future.done() and len(future.result()) == 1 for future in futures)


def test_close_without_finishing_leaves_no_future_waiting():
    gate = Gate(is_open=False)
    work = background(gate, together=2)
    futures = [work.submit(candidates("a")) for _ in range(10)]
    gate.begun.wait(10)
    closing = threading.Thread(target=lambda: work.close(finish=False))
    closing.start()
    while not work._dropping:
        time.sleep(0.001)
    gate.opened.set()
    closing.join(10)
    assert all(future.done() for future in futures)
    with pytest.raises(CancelledError):
        futures[-1].result(0)


def test_a_cancelled_submission_is_not_asked():
    gate = Gate(is_open=False)
    work = background(gate, together=1)
    first, second = work.submit(candidates("a")), work.submit(candidates("bb"))
    gate.begun.wait(10)
    assert second.cancel()
    gate.opened.set()
    work.close()
    assert len(first.result(0)) == 1
    assert gate.sizes == [1]


def test_submitting_after_the_end_is_refused():
    work = background(Gate())
    work.close()
    with pytest.raises(BackendError, match="closed"):
        work.submit(candidates("a"))
