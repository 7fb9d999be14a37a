import threading
import time

import pytest

from ponderank.backends.adapters import Batched, Shared, Threaded
from ponderank.errors import BackendError
from ponderank.types import Classify, Reply

QUESTIONS = [Classify("q", str(i)) for i in range(10)]


def answer(call):
    if call.text == "bad":
        raise BackendError("broken")
    return Reply(scores=(float(call.text),))


def answers(calls):
    return [answer(call) for call in calls]


def drain(backend, wanted):
    got = {}
    while len(got) < wanted:
        got.update(backend.step())
    return got


def test_a_batch_is_the_oldest_calls_and_never_more_than_its_size():
    sizes = []
    backend = Batched(lambda calls: sizes.append([c.text for c in calls]) or answers(calls), size=4)
    tickets = [backend.add(call) for call in QUESTIONS]
    assert {t: r.scores[0] for t, r in drain(backend, 10).items()} == dict(
        zip(tickets, map(float, range(10)), strict=True)
    )
    assert sizes == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"]]


def test_a_step_with_nothing_queued_asks_nothing():
    assert Batched(answers, size=4).step() == []


def test_a_cancelled_call_is_not_asked():
    seen = []
    backend = Batched(lambda calls: seen.extend(calls) or answers(calls), size=4)
    tickets = [backend.add(call) for call in QUESTIONS[:3]]
    backend.cancel([tickets[1], 999])
    assert [ticket for ticket, _ in backend.step()] == [tickets[0], tickets[2]]
    assert seen == [QUESTIONS[0], QUESTIONS[2]]


def test_threads_answer_every_call_once():
    backend = Threaded(answer, workers=3)
    tickets = [backend.add(call) for call in QUESTIONS]
    got = drain(backend, 10)
    assert [got[ticket].scores[0] for ticket in tickets] == list(map(float, range(10)))
    assert backend.step() == []
    backend.close()


def test_threads_work_side_by_side():
    together = threading.Barrier(2, timeout=10)

    def meet(call):
        together.wait()
        return Reply()

    backend = Threaded(meet, workers=2)
    for call in QUESTIONS[:2]:
        backend.add(call)
    assert len(drain(backend, 2)) == 2
    backend.close()


def test_a_call_that_fails_raises_once_and_loses_no_other():
    backend = Threaded(answer, workers=2)
    for call in [Classify("q", "bad"), *QUESTIONS]:
        backend.add(call)
    got, errors = {}, 0
    while len(got) < 10:
        try:
            got.update(backend.step())
        except BackendError:
            errors += 1
    assert errors <= 1
    while not errors:
        with pytest.raises(BackendError):
            backend.step()
        errors += 1
    assert backend.step() == []
    backend.close()


def test_a_cancelled_call_neither_answers_nor_fails():
    gate = threading.Event()

    def held(call):
        gate.wait(10)
        return answer(call)

    backend = Threaded(held, workers=1)
    bad, good = backend.add(Classify("q", "bad")), backend.add(QUESTIONS[5])
    release = threading.Timer(0.2, gate.set)
    release.start()
    first = threading.Thread(target=lambda: time.sleep(0.05) or backend.cancel([bad]))
    first.start()
    assert {ticket for ticket, _ in drain(backend, 1).items()} == {good}
    assert backend.step() == []
    first.join()
    backend.close()


def test_each_channel_gets_its_own_replies_from_a_batch_they_share():
    sizes = []
    shared = Shared(Batched(lambda calls: sizes.append(len(calls)) or answers(calls), size=8))
    one, two = shared.channel(), shared.channel()
    first, second = one.add(QUESTIONS[1]), two.add(QUESTIONS[2])
    assert one.step() == [(first, Reply(scores=(1.0,)))]
    assert two.step() == [(second, Reply(scores=(2.0,)))]
    assert sizes == [2]


def test_a_failed_step_is_told_to_all_who_wait_and_to_nobody_else():
    shared = Shared(Batched(answers, size=8))
    guilty, waiting, idle = shared.channel(), shared.channel(), shared.channel()
    guilty.add(Classify("q", "bad"))
    waiting.add(QUESTIONS[0])
    with pytest.raises(BackendError, match=r"^broken"):
        guilty.step()
    with pytest.raises(BackendError, match="a step shared with another ranking failed: broken"):
        waiting.step()
    assert idle.step() == []


def test_a_cancelled_reply_that_already_came_is_dropped():
    shared = Shared(Batched(answers, size=8))
    one, two = shared.channel(), shared.channel()
    one.add(QUESTIONS[0])
    late = two.add(QUESTIONS[1])
    one.step()
    two.cancel([late])
    assert two.step() == []


def test_levels_of_the_backend_show_through():
    backend = Batched(answers, size=1)
    backend.levels = 3
    assert Shared(backend).channel().levels == 3
    assert not hasattr(Shared(Batched(answers, size=1)).channel(), "levels")
