import json
import multiprocessing
import os
import signal
import time

import pytest
from distill_world import pair, teacher

from ponderank.backends.adapters import Batched
from ponderank.distill.collect import Asking, Prices, claim, collect, estimate
from ponderank.distill.shards import Shard, read_collected, shard_files
from ponderank.errors import BackendError, DataError, RecipeError
from ponderank.types import Generate, Reply


def names(folder):
    return sorted((row.pair.key, row.sample) for row in read_collected(folder))


def test_every_pair_is_asked_once_and_kept(tmp_path):
    asked = []
    with Shard(tmp_path) as shard:
        tally = collect((pair(i) for i in range(10)), teacher(asked), Asking(ahead=3), shard)
    rows = list(read_collected(tmp_path))
    assert len(rows) == len(asked) == tally.kept == 10
    assert {row.trace.thought for row in rows} == {f"because {i}" for i in range(10)}
    assert tally.verdicts == {"true": 10, "false": 0, "none": 0}
    assert tally.output_tokens == 70


def test_texts_given_twice_are_asked_once(tmp_path):
    asked = []
    with Shard(tmp_path) as shard:
        collect([pair(1), pair(1, part="negatives", label=0), pair(2)], teacher(asked), Asking(), shard)
    assert len(asked) == 2


def test_a_teacher_that_dies_loses_nothing_and_is_asked_the_rest(tmp_path):
    asked = []
    with Shard(tmp_path) as shard, pytest.raises(BackendError):
        collect((pair(i) for i in range(20)), teacher(asked, fail_at=8), Asking(ahead=4), shard)
    kept = len(names(tmp_path))
    with Shard(tmp_path) as shard:
        tally = collect((pair(i) for i in range(20)), teacher(), Asking(ahead=4), shard)
    assert 0 < kept <= 8
    assert tally.before == kept
    assert tally.kept == 20 - kept
    assert len(names(tmp_path)) == len(set(names(tmp_path))) == 20


def test_several_samples_have_seeds_of_their_own(tmp_path):
    seeds = []

    def fn(calls):
        seeds.extend(call.seed for call in calls)
        return [Reply("<think>so</think>false") for _ in calls]

    with Shard(tmp_path) as shard:
        collect([pair(1), pair(2)], Batched(fn, 2, can=frozenset({Generate})), Asking(samples=3), shard)
    assert len(set(seeds)) == 6
    assert len(set(names(tmp_path))) == 6


@pytest.mark.parametrize("finish", ["late", "failed", "interrupted"])
def test_what_nobody_answered_is_not_kept_and_asked_again(finish, tmp_path):
    broken = Batched(lambda calls: [Reply(finish=finish) for _ in calls], 4, can=frozenset({Generate}))
    with Shard(tmp_path) as shard:
        tally = collect([pair(1)], broken, Asking(), shard)
        assert (tally.kept, tally.unanswered) == (0, 1)
        assert collect([pair(1)], teacher(), Asking(), shard).kept == 1


def test_a_refusal_is_kept_and_not_asked_again(tmp_path):
    refusing = Batched(lambda calls: [Reply(finish="refused") for _ in calls], 4, can=frozenset({Generate}))
    with Shard(tmp_path) as shard:
        collect([pair(1)], refusing, Asking(), shard)
        assert collect([pair(1)], teacher(), Asking(), shard).asked == 0
    assert [row.finish for row in read_collected(tmp_path)] == ["refused"]


def test_a_model_that_writes_no_text_is_no_teacher(tmp_path):
    with Shard(tmp_path) as shard, pytest.raises(RecipeError, match="writes no text"):
        collect([pair()], Batched(lambda calls: [], 1), Asking(), shard)


def test_shards_share_the_pairs_and_together_hold_each_once(tmp_path):
    for number in range(3):
        with Shard(tmp_path, number, 3) as shard:
            collect((pair(i) for i in range(60)), teacher(), Asking(), shard)
    sizes = [sum(1 for _ in path.open()) for path in shard_files(tmp_path)]
    assert len(sizes) == 3
    assert sum(sizes) == len(set(names(tmp_path))) == 60
    assert min(sizes) > 5


def test_another_number_of_shards_goes_on_with_what_is_there(tmp_path):
    with Shard(tmp_path, 0, 3) as shard:
        collect((pair(i) for i in range(30)), teacher(), Asking(), shard)
    there = len(names(tmp_path))
    with Shard(tmp_path) as shard:
        tally = collect((pair(i) for i in range(30)), teacher(), Asking(), shard)
    assert tally.before == there
    assert len(set(names(tmp_path))) == len(names(tmp_path)) == 30


def test_a_line_that_a_kill_cut_short_is_asked_again(tmp_path):
    with Shard(tmp_path) as shard:
        collect((pair(i) for i in range(5)), teacher(), Asking(), shard)
    path = shard_files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-20])
    assert len(names(tmp_path)) == 4
    with Shard(tmp_path) as shard:
        assert collect((pair(i) for i in range(5)), teacher(), Asking(), shard).asked == 1
    assert len(set(names(tmp_path))) == len(path.read_text().splitlines()) == 5


def test_a_broken_line_in_the_middle_is_an_error(tmp_path):
    with Shard(tmp_path) as shard:
        collect((pair(i) for i in range(3)), teacher(), Asking(), shard)
    path = shard_files(tmp_path)[0]
    path.write_text(path.read_text().replace("}\n", "\n", 1))
    with pytest.raises(DataError, match="malformed JSON"):
        names(tmp_path)


def test_two_processes_do_not_write_one_shard(tmp_path):
    with Shard(tmp_path), pytest.raises(DataError, match="another process"), Shard(tmp_path):
        pass


def test_the_same_folder_does_not_take_another_teachers_answers(tmp_path):
    claim(tmp_path, "one", Asking())
    claim(tmp_path, "one", Asking(samples=4))
    with pytest.raises(DataError, match="another teacher"):
        claim(tmp_path, "two", Asking())
    with pytest.raises(DataError, match=r"temperature"):
        claim(tmp_path, "one", Asking(temperature=1.0))


def test_an_estimate_counts_what_is_missing_only(tmp_path):
    with Shard(tmp_path) as shard:
        collect([pair(1)], teacher(), Asking(), shard)
        cost = estimate([pair(1), pair(2)], teacher().tokenizer, Asking(max_tokens=50), shard)
    assert (cost.answers, cost.output_tokens) == (1, 50)
    assert cost.prompt_tokens > 15
    assert Prices(2.0, 4.0).of(500_000, 250_000) == 2.0


def _slow_collection(folder, count):
    def fn(calls):
        time.sleep(0.002)
        return [Reply("<think>so it is</think>true") for _ in calls]

    with Shard(folder) as shard:
        collect((pair(i) for i in range(count)), Batched(fn, 4, can=frozenset({Generate})), Asking(ahead=8), shard)


def test_three_kills_lose_no_row_and_double_none(tmp_path):
    context = multiprocessing.get_context("fork")
    count = 2000
    for _ in range(3):
        process = context.Process(target=_slow_collection, args=(tmp_path, count))
        process.start()
        before = sum(path.stat().st_size for path in shard_files(tmp_path))
        deadline = time.monotonic() + 20
        while (
            sum(path.stat().st_size for path in shard_files(tmp_path)) < before + 20_000 and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    killed = len(names(tmp_path))
    _slow_collection(tmp_path, count)
    lines = [json.loads(line) for path in shard_files(tmp_path) for line in path.read_text().splitlines()]
    assert 100 < killed < count
    assert len(lines) == len({line["key"] for line in lines}) == count
