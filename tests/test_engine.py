import pytest

from ponderank import Candidates, Doc, Engine, Query, Recipe, RecipeError
from ponderank.backends.testing import Oracle, Scripted
from ponderank.formats.classify import CrossEncoder
from ponderank.formats.sentences import Evidence
from ponderank.strategies.pointwise import Pointwise
from ponderank.types import Ask, Classify, Judgement, Reply, Usage


def candidates(n, name="q"):
    return Candidates(Query(name, name), tuple(Doc(str(i), f"text {i}") for i in range(n)))


class Ladder:
    """Asks its first candidate a given number of times, one after another."""

    widest, absolute = 1, False

    def __init__(self, rounds):
        self.rounds = rounds

    def plan(self, n, priors=None):
        for _ in range(self.rounds):
            yield [Ask((0,))]
        return [0.0] * n


def test_independent_queries_share_a_step():
    """Three plans of five rounds each take five backend steps together, not fifteen."""

    class Counted(Oracle):
        steps = 0

        def step(self):
            self.steps += 1
            return super().step()

    backend = Counted(lambda *_: 0.0)
    recipe = Recipe("r", "none", CrossEncoder(), Ladder(5))
    assert len(list(Engine(recipe, backend).run(candidates(1, f"q{i}") for i in range(3)))) == 3
    assert backend.steps == 5


def test_thousands_of_rounds_do_not_recurse():
    ((_, ranking),) = Engine(Recipe("r", "none", CrossEncoder(), Ladder(5000)), Oracle(lambda *_: 0.0)).run(
        [candidates(1)]
    )
    assert ranking.usage.calls == 5000


def test_queries_are_admitted_as_there_is_room():
    taken = []

    def source():
        for i in range(100):
            taken.append(i)
            yield candidates(1, f"q{i}")

    results = Engine(Recipe("r", "none", CrossEncoder(), Pointwise()), Oracle(lambda *_: 0.0)).run(source(), ahead=4)
    next(results)
    assert len(taken) <= 8


def test_not_a_number_goes_last():
    backend = Scripted([Reply(scores=(float("nan"),)), Reply(scores=(-5.0,)), Reply(scores=(1.0,))])
    ((_, ranking),) = Engine(Recipe("r", "none", CrossEncoder(), Pointwise()), backend).run([candidates(3)])
    assert ranking.order == (2, 1, 0)


def test_an_empty_round_goes_on():
    class Pause(Ladder):
        def plan(self, n, priors=None):
            assert (yield []) == []
            return [1.0] * n

    ((_, ranking),) = Engine(Recipe("r", "none", CrossEncoder(), Pause(0)), Scripted([])).run([candidates(2)])
    assert ranking.scores == (1.0, 1.0)


def test_flaws_and_costs_are_counted():
    progress = []
    backend = Scripted([Reply(scores=(1.0,), finish="truncated", usage=Usage(calls=1, prompt_tokens=7))])
    recipe = Recipe("r", "none", CrossEncoder(), Pointwise())
    ((_, ranking),) = Engine(recipe, backend, on_progress=progress.append).run([candidates(1)])
    assert ranking.flaws() == {"truncated": 1}
    assert ranking.usage == Usage(calls=1, prompt_tokens=7)
    assert (progress[-1].done, progress[-1].calls, progress[-1].flaws) == (1, 1, 1)


def test_a_recipe_that_asks_what_the_backend_cannot_answer_is_refused():
    class Deaf(Oracle):
        can = frozenset()

    with pytest.raises(RecipeError, match="asks for Classify; this backend answers nothing;"):
        Engine(Recipe("r", "none", CrossEncoder(), Pointwise()), Deaf({}))


def test_a_strategy_wider_than_the_format_is_refused():
    class Wide(Ladder):
        widest = 20

    with pytest.raises(RecipeError, match="shows 20 documents at once, the format holds 1"):
        Engine(Recipe("r", "none", CrossEncoder(), Wide(1)), Oracle({}))


def test_a_judgement_goes_back_in_the_order_asked():
    seen = []

    class Two(Ladder):
        def plan(self, n, priors=None):
            seen.extend((yield [(1,), (0,)]))
            return [0.0] * n

    backend = Oracle({"text 0": 0.5, "text 1": 1.5}, seed=3)
    list(Engine(Recipe("r", "none", CrossEncoder(), Two(1)), backend).run([candidates(2)]))
    assert [j.scores for j in seen] == [(1.5,), (0.5,)]
    assert all(isinstance(j, Judgement) for j in seen)
    assert backend.asked == [Classify("q", "text 1"), Classify("q", "text 0")]


def test_results_come_as_they_end_or_in_input_order():
    sizes = [3, 0, 2]
    many = [candidates(n, f"q{i}") for i, n in enumerate(sizes)]
    recipe = Recipe("r", "none", CrossEncoder(), Pointwise())
    as_ended = [index for index, _ in Engine(recipe, Oracle(lambda *_: 0.0, seed=1)).run(many)]
    in_order = [index for index, _ in Engine(recipe, Oracle(lambda *_: 0.0, seed=1)).run(many, in_order=True)]
    assert as_ended[0] == 1
    assert in_order == [0, 1, 2]


def test_a_straggler_does_not_let_the_rest_of_the_input_in():
    """In input order, what is finished and waits for its turn counts as held."""

    class Stuck(Oracle):
        def step(self):
            easy = [item for item in self._waiting if item[1].query != "q0"]
            hard = [item for item in self._waiting if item[1].query == "q0"]
            self._waiting, kept = (easy, hard) if easy else (hard, [])
            replies = super().step()
            self._waiting += kept
            return replies

    taken = []

    def source():
        for i in range(50):
            taken.append(i)
            yield candidates(1, f"q{i}")

    results = Engine(Recipe("r", "none", CrossEncoder(), Pointwise()), Stuck(lambda *_: 0.0)).run(
        source(), ahead=4, in_order=True
    )
    assert next(results)[0] == 0
    assert len(taken) == 4
    assert [index for index, _ in results] == list(range(1, 50))


def test_leaving_early_cancels_what_was_asked():
    class Cancelling(Oracle):
        cancelled = ()

        def cancel(self, tickets):
            self.cancelled = sorted(tickets)

    backend = Cancelling(lambda *_: 0.0, seed=0)
    results = Engine(Recipe("r", "none", CrossEncoder(), Pointwise()), backend).run(
        candidates(2, f"q{i}") for i in range(5)
    )
    next(results)
    results.close()
    assert 0 < len(backend.cancelled) < 10


def test_a_score_that_is_no_number_is_a_flaw():
    backend = Scripted([Reply(scores=(float("nan"),)), Reply(scores=(1.0,))])
    ((_, ranking),) = Engine(Recipe("r", "none", CrossEncoder(), Pointwise()), backend).run([candidates(2)])
    assert ranking.flaws() == {"unparsed": 1}
    assert ranking.rows()[1]["flaw"] == "unparsed"


def test_a_strategy_that_loses_a_document_is_refused():
    class Short(Ladder):
        def plan(self, n, priors=None):
            yield []
            return [0.0]

    with pytest.raises(RecipeError, match="gave 1 scores for 3 documents"):
        list(Engine(Recipe("r", "none", CrossEncoder(), Short(0)), Scripted([])).run([candidates(3)]))


def test_an_undeclared_level_is_refused_when_the_format_has_none():
    class Deep(Ladder):
        def plan(self, n, priors=None):
            yield [Ask((0,), level=1)]
            return [0.0] * n

    with pytest.raises(RecipeError, match="asks at level 1; its format has level 0 only"):
        list(Engine(Recipe("r", "none", Evidence(), Deep(0)), Oracle({})).run([candidates(1)]))


@pytest.mark.parametrize(("many", "total"), [([candidates(1)], 1), (iter([candidates(1)]), None)])
def test_progress_knows_the_total_where_the_input_has_a_length(many, total):
    told = []
    recipe = Recipe("r", "none", CrossEncoder(), Pointwise())
    list(Engine(recipe, Oracle(lambda *_: 0.0), on_progress=told.append).run(many))
    assert told[-1].total == total
    assert told[-1].seconds >= told[0].seconds >= 0


def test_no_queries_is_no_rankings():
    assert list(Engine(Recipe("r", "none", CrossEncoder(), Pointwise()), Scripted([])).run([])) == []
