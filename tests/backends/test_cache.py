import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

import pytest

from ponderank import BackendError, DataError, Recipe, Reranker
from ponderank.backends.adapters import Batched
from ponderank.backends.cache import Cached, call_key
from ponderank.backends.testing import Oracle
from ponderank.formats.classify import CrossEncoder
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Classify, Reply

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


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "users.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE users (name)")
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"users\.db: this database is another program's"):
        Cached(Oracle({}), path)
    assert path.read_bytes() == before


def test_a_damaged_reply_names_the_file_and_the_remedy(tmp_path):
    path = tmp_path / "c.sqlite"
    with Reranker(ALONE, backend=Oracle(lambda q, t: 1.0), cache=path) as reranker:
        reranker.rank("q", ["a"])
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE replies SET reply = '{\"text\"'")
        file.commit()
    with (
        Reranker(ALONE, backend=Oracle(lambda q, t: 1.0), cache=path) as reranker,
        pytest.raises(DataError, match=r"c\.sqlite: a reply in this cache is damaged: .*; delete the file"),
    ):
        reranker.rank("q", ["a"])


def test_two_processes_worth_of_caches_share_a_file(tmp_path):
    path = tmp_path / "c.sqlite"
    backends = [Oracle(lambda q, t: 1.0), Oracle(lambda q, t: 1.0)]
    one, two = (Cached(backend, path) for backend in backends)
    for i in range(20):
        for cached in (one, two):
            cached.add(Classify("q", str(i)))
            cached.step()
    assert (one.asked, two.asked, two.hits) == (20, 0, 20)
    one.close()
    two.close()


def test_a_reply_from_the_file_costs_no_time_and_its_tokens_are_cached(tmp_path):
    cached = Cached(Oracle(lambda q, t: 1.0), tmp_path / "c.sqlite")
    usages = []
    for _ in range(2):
        cached.add(Classify("one", "two three"))
        usages += [reply.usage for _, reply in cached.step()]
    assert [(u.prompt_tokens, u.cached_tokens) for u in usages] == [(3, 0), (3, 3)]
    cached.close()


def test_a_call_that_somebody_still_waits_for_is_not_cancelled(tmp_path):
    cached = Cached(Batched(lambda calls: [Reply(scores=(1.0,)) for _ in calls], size=9), tmp_path / "c.sqlite")
    first, second, alone = (
        cached.add(Classify("q", "a")),
        cached.add(Classify("q", "a")),
        cached.add(Classify("q", "b")),
    )
    cached.cancel([first, alone])
    assert [ticket for ticket, _ in cached.step()] == [second]
    assert cached.step() == []
    again = cached.add(Classify("q", "b"))
    assert [ticket for ticket, _ in cached.step()] == [again]
    cached.close()


def test_a_cancelled_call_is_kept_all_the_same_when_the_backend_cannot_drop_it(tmp_path):
    backend = Oracle(lambda q, t: 1.0)
    cached = Cached(backend, tmp_path / "c.sqlite")
    cached.cancel([cached.add(Classify("q", "a"))])
    assert cached.step() == []
    cached.add(Classify("q", "a"))
    assert cached.hits == 1
    cached.close()


def test_a_lost_call_is_asked_again_when_it_is_wanted_again(tmp_path):
    """A backend that fails a batch and cannot drop calls: whoever gives up cancels, and a new call starts anew."""
    failures = [True]

    class Failing(Oracle):
        def step(self):
            if self._waiting and failures:
                failures.pop()
                self._waiting.clear()
                raise BackendError("broken")
            return super().step()

    cached = Cached(Failing(lambda q, t: 1.0), tmp_path / "c.sqlite")
    lost = cached.add(Classify("q", "a"))
    with pytest.raises(BackendError, match="broken"):
        cached.step()
    cached.cancel([lost])
    again = cached.add(Classify("q", "a"))
    assert [ticket for ticket, _ in cached.step()] == [again]
    cached.close()
