import re
from dataclasses import dataclass
from typing import Literal

import pytest

from ponderank.errors import DataError
from ponderank.laboratory import named
from ponderank.laboratory.named import NAMED, contender
from ponderank.strategies.pointwise import Pointwise


@dataclass(frozen=True)
class Fielded:
    size: int = 1
    share: float = 0.5
    both: bool = True
    how: Literal["one", "other"] = "one"
    most: int | None = None


@pytest.fixture
def fielded(monkeypatch):
    monkeypatch.setattr(named, "_class", lambda target: Fielded)


@pytest.mark.parametrize("name", NAMED)
def test_every_name_makes_a_strategy_that_ranks(name):
    from ponderank.laboratory.cases import Cases
    from ponderank.laboratory.judges import Judge
    from ponderank.laboratory.simulate import driven

    for n in (0, 1, 2, 12, 23):
        one = contender(name, n)
        case = Cases({"q": {"a": 1}}, k=max(n, 1)).draw(trial=0, seed=0)
        case = case if n else type(case)("q", case.grades[:0], case.utilities[:0], (), 1.0)
        order, _ = driven(one.strategy, case, Judge().sitting(case.utilities, seed=0, kind=one.kind))
        assert sorted(order) == list(range(n))


def test_settings_are_typed_from_the_fields(fielded):
    text = "pointwise:size=3,share=1,both=no,how=other,most=7"
    assert contender(text).strategy == Fielded(3, 1.0, False, "other", 7)
    assert contender("pointwise:most=none").strategy == Fielded()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pointwise:size=x", "size is 'x'; give int"),
        ("pointwise:most=x", "give int or none"),
        ("pointwise:both=maybe", "give bool"),
        ("pointwise:how=third", "it is one or other"),
        ("pointwise:sise=3", "no field 'sise'; it has size, share, both, how, most"),
        ("pointwise:size", "written field=value"),
        ("pointwise:size.inner=3", "the field 'size' is no strategy"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_clear_error(fielded, text, told):
    with pytest.raises(DataError, match=re.escape(told)):
        contender(text)


def test_a_value_that_the_strategy_refuses_is_bad_input():
    with pytest.raises(DataError, match="size 0"):
        contender("window:size=0")


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(DataError, match="did you mean window"):
        contender("windwo")


def test_windows_may_be_named_by_size_and_stride():
    strategy = contender("window-10-5").strategy
    assert (strategy.size, strategy.stride) == (10, 5)


def test_one_window_is_as_wide_as_there_are_candidates():
    assert contender("one-window", 37).strategy.widest == 37


def test_a_strategy_inside_a_strategy_is_named_and_set_behind_a_dot():
    strategy = contender("self-consistency:times=3,strategy=pointwise,strategy.prior_weight=0.5")
    assert strategy.strategy.times == 3
    assert strategy.strategy.strategy == Pointwise(0.5)
    assert strategy.kind == "score"
