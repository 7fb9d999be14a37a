import os
import signal
import subprocess
import sys
import textwrap

import pytest

from ponderank import DataError, Recipe, Reranker
from ponderank.backends.cache import Cached, call_key
from ponderank.backends.testing import Oracle
from ponderank.formats.classify import CrossEncoder
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Classify

ALONE = Recipe("alone", "none", CrossEncoder(), Pointwise())


def test_what_was_answered_is_not_asked_again(tmp_path):
    first, second = Oracle(lambda q, t: 1.0), Oracle(lambda q, t: 99.0)
    for backend in (first, second):
        with Reranker(ALONE, backend=backend, cache=tmp_path / "c.sqlite") as reranker:
            assert reranker.rank("q", ["a", "b"]).scores == (1.0, 1.0)
    assert (len(first.asked), len(second.asked)) == (2, 0)


def test_equal_calls_in_flight_are_asked_once(tmp_path):
    backend = Oracle(lambda q, t: 1.0)
    with Reranker(ALONE, backend=backend, cache=tmp_path / "c.sqlite") as reranker:
        assert len(reranker.rank("q", ["same", "same", "same"])) == 3
    assert len(backend.asked) == 1


def test_another_model_meets_none_of_the_replies(tmp_path):
    other = Oracle(lambda q, t: 2.0)
    other.fingerprint = "another"
    for backend in (Oracle(lambda q, t: 1.0), other):
        with Reranker(ALONE, backend=backend, cache=tmp_path / "c.sqlite") as reranker:
            reranker.rank("q", ["a"])
    assert len(other.asked) == 1


def test_every_field_of_a_call_is_in_its_key():
    keys = {
        call_key("m", call)
        for call in (Classify("a", "b"), Classify("ab", ""), Classify("a", "b", 1), Classify("b", "a"))
    }
    assert len(keys | {call_key("n", Classify("a", "b"))}) == 5


def test_a_file_that_is_no_cache_is_refused(tmp_path):
    (tmp_path / "c.sqlite").write_text("this is not a database, but it is long enough to look like one " * 20)
    with pytest.raises(DataError, match=r"c\.sqlite: not a Ponderank cache"):
        Cached(Oracle({}), tmp_path / "c.sqlite")


def test_a_kill_loses_no_answered_call(tmp_path):
    """Every reply that was seen is in the file after kill -9."""
    code = textwrap.dedent(f"""
        import os, time
        from ponderank.backends.adapters import Threaded
        from ponderank.backends.cache import Cached
        from ponderank.types import Classify, Reply

        def slow(call):
            time.sleep(0.01)
            return Reply(scores=(1.0,))

        cached = Cached(Threaded(slow, 2), {str(tmp_path / "c.sqlite")!r})
        for i in range(1000):
            cached.add(Classify("q", str(i)))
        seen = 0
        while True:
            seen += len(cached.step())
            print(seen, flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) >= 40:
            break
    os.kill(process.pid, signal.SIGKILL)
    seen = max(int(x) for x in [line, *process.stdout.read().split()])
    process.wait()
    backend = Oracle(lambda q, t: 1.0)
    backend.fingerprint = "function"
    cached = Cached(backend, tmp_path / "c.sqlite")
    for i in range(1000):
        cached.add(Classify("q", str(i)))
    assert cached.hits >= seen >= 40
    cached.close()
