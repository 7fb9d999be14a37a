import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponderank.judging.agreement import agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, gaps
OBSERVERS = ["123321412   ", "1233224125 3", " 3332342251 ", "12332441251 "]
# Fleiss' kappa, the example of the Wikipedia article of that name: fourteen raters, ten subjects, five categories
FLEISS = (
    """0 0 0 0 14  0 2 6 4 2  0 0 3 5 6  0 3 9 2 0  2 2 8 1 1  7 7 0 0 0  3 2 6 3 0  2 5 3 2 2  6 5 2 1 0  0 2 2 3 7"""
)


def units():
    return [[int(grade) for grade in unit if grade != " "] for unit in zip(*OBSERVERS, strict=True)]


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_own_example_gives_his_values(level, published):
    assert krippendorff_alpha(units(), level=level) == pytest.approx(published, abs=5e-4)


def test_fleiss_kappa_of_the_published_table():
    numbers = list(map(int, FLEISS.split()))
    rows = [numbers[start : start + 5] for start in range(0, 50, 5)]
    items = [[category for category, count in enumerate(row) for _ in range(count)] for row in rows]
    assert fleiss_kappa(items) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(
    ("table", "published"),  # the examples of the Wikipedia article "Cohen's kappa"
    [((20, 5, 10, 15), 0.4), ((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593)],
)
def test_cohens_kappa_of_published_tables(table, published):
    cells = [pair for pair, count in zip([(1, 1), (1, 0), (0, 1), (0, 0)], table, strict=True) for _ in range(count)]
    assert cohen_kappa(*zip(*cells, strict=True)) == pytest.approx(published, abs=5e-5)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=40))
@settings(max_examples=40, deadline=None)
def test_weighted_kappa_is_scikit_learns(pairs):
    sklearn = pytest.importorskip("sklearn.metrics")
    first, second = zip(*[*pairs, (0, 3), (3, 0), (1, 1), (2, 2)], strict=True)  # all grades occur: same distances
    for ours, theirs in (("none", None), ("linear", "linear"), ("quadratic", "quadratic")):
        assert cohen_kappa(first, second, weights=ours) == pytest.approx(
            sklearn.cohen_kappa_score(first, second, weights=theirs)
        )


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), max_size=12), st.randoms())
@settings(max_examples=60, deadline=None)
def test_alpha_knows_no_order_of_items_or_assessors_and_is_at_most_one(items, random):
    mixed = [random.sample(item, len(item)) for item in random.sample(items, len(items))]
    for level in ("nominal", "ordinal", "interval"):
        alpha = krippendorff_alpha(items, level=level)
        assert alpha is None or alpha <= 1 + 1e-9
        assert krippendorff_alpha(mixed, level=level) == (alpha if alpha is None else pytest.approx(alpha))


def test_where_all_grades_are_the_same_nothing_is_said():
    assert cohen_kappa([1, 1], [1, 1]) is None
    assert fleiss_kappa([[1, 1], [1, 1]]) is None
    assert krippendorff_alpha([[1, 1], [1, 1]]) is None
    assert (cohen_kappa([], []), fleiss_kappa([]), krippendorff_alpha([])) == (None, None, None)


def test_fleiss_wants_as_many_grades_on_each_item():
    with pytest.raises(ValueError, match="as many"):
        fleiss_kappa([[1, 1], [1, 1, 0]])


def test_pairs_are_compared_on_what_both_judged_and_fleiss_on_what_all_did():
    grades = {
        "i": {"ada": 0, "ben": 0, "cyd": 0}, "j": {"ada": 2, "ben": 2}, "k": {"ada": 1}, "l": {"ada": 1, "ben": 0, "cyd": 1},
    }  # fmt: skip
    found = agreement(grades)
    assert found["assessors"] == {"ada": 4, "ben": 3, "cyd": 2}
    assert [(pair["assessors"], pair["items"], pair["same"]) for pair in found["pairs"]] == [
        (["ada", "ben"], 3, 2), (["ada", "cyd"], 2, 2), (["ben", "cyd"], 2, 1),
    ]  # fmt: skip
    assert (found["fleiss"]["items"], found["judged_twice"]) == (2, 3)
