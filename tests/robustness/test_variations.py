import random

import pytest

from ponderank.errors import DataError
from ponderank.robustness.paraphrases import framed, other_spelling, synonyms
from ponderank.robustness.variations import VARIATIONS, Variation, chosen, stopwords

TEXT = "What are the effects of magnetic fields on the growth of small organisms?"
TYPOS = [name for name, one in VARIATIONS.items() if one.kind == "misspelling"]


def changed(before, after):
    return [(a, b) for a, b in zip(before.split(), after.split(), strict=True) if a != b]


@pytest.mark.parametrize("name", VARIATIONS)
def test_the_same_seed_says_the_same(name):
    assert [VARIATIONS[name].of(TEXT, seed) for seed in range(5)] == [
        VARIATIONS[name].of(TEXT, seed) for seed in range(5)
    ]


@pytest.mark.parametrize("name", ["swap", "substitute", "qwerty", "fewer-words", "shuffle"])
def test_another_seed_says_another_thing(name):
    assert len({VARIATIONS[name].of(TEXT, seed) for seed in range(20)}) > 5


@pytest.mark.parametrize("name", VARIATIONS)
def test_what_cannot_be_changed_is_not_applicable(name):
    assert VARIATIONS[name].of("", 0) is None


@pytest.mark.parametrize("name", TYPOS)
def test_a_typing_error_hits_one_word_that_carries_meaning(name):
    for seed in range(50):
        ((before, after),) = changed(TEXT, VARIATIONS[name].of(TEXT, seed))
        assert before.lower() not in stopwords()
        assert len(before) == len(after)


def test_one_meaningful_word_in_ten_is_mistyped():
    text = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyzabcd")
    assert len(changed(text, VARIATIONS["swap"].of(text, 0))) == 3


def test_a_swap_keeps_the_letters():
    ((before, after),) = changed(TEXT, VARIATIONS["swap"].of(TEXT, 3))
    assert sorted(before) == sorted(after)


def test_a_qwerty_error_takes_a_key_beside_the_right_one():
    from ponderank.robustness.variations import _neighbours

    assert sorted(_neighbours()["g"]) == ["b", "f", "h", "t", "v", "y"]
    for seed in range(50):
        ((before, after),) = changed(TEXT, VARIATIONS["qwerty"].of(TEXT, seed))
        ((right, wrong),) = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert wrong in _neighbours()[right]


@pytest.mark.parametrize("name", TYPOS)
def test_stopwords_alone_cannot_be_mistyped(name):
    assert VARIATIONS[name].of("what is this about", 0) is None


def test_a_script_without_keys_has_no_qwerty_errors():
    assert VARIATIONS["qwerty"].of("магнитное поле", 0) is None


def test_removing_stopwords_keeps_negations():
    assert VARIATIONS["no-stopwords"].of("the drug does not help without the food", 0) == "drug not help without food"


def test_a_fifth_of_the_words_is_removed_and_no_negation():
    text = "the drug does not help a b c d e"
    for seed in range(50):
        words = VARIATIONS["fewer-words"].of(text, seed).split()
        assert len(words) == 8
        assert "not" in words


def test_a_word_always_remains():
    assert VARIATIONS["fewer-words"].of("magnet", 0) is None
    assert len(VARIATIONS["fewer-words"].of("red magnet", 0).split()) == 1


def test_keywords_keep_at_least_35_percent_of_the_meaningful_words():
    left = [len(VARIATIONS["keywords"].of(TEXT, seed).split()) for seed in range(200)]
    assert min(left) >= 3
    assert max(left) == 6


def test_a_shuffle_has_the_same_words_in_another_order():
    made = VARIATIONS["shuffle"].of("one two", 0)
    assert made == "two one"
    assert VARIATIONS["shuffle"].of("one one", 0) is None


def test_plain_text_has_no_capitals_and_no_marks():
    assert VARIATIONS["plain"].of("Who wrote 'Hamlet' (1603)?", 0) == "who wrote hamlet 1603"
    assert VARIATIONS["plain"].of("who wrote hamlet", 0) is None


def test_a_frame_asks_the_same():
    assert framed("is water wet") == "Could you tell me: is water wet?"
    assert framed("") == ""


def test_synonyms_keep_the_case_and_names():
    assert synonyms("LARGE cars START with StART") == "BIG automobiles BEGIN with StART"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tumour", "tumor"),
        ("Organisations", "Organizations"),
        ("haemoglobin", "hemoglobin"),
        ("colourless", "colorless"),
    ],
)
def test_spelling_goes_both_ways(one, other):
    assert (other_spelling(one), other_spelling(other)) == (other, one)


@pytest.mark.parametrize(
    "word", ["laboratory", "humoral", "organism", "characteristic", "optimist", "analyses", "programming"]
)
def test_words_that_only_look_british_or_american_stay(word):
    assert other_spelling(word) == word


def test_spaces_alone_are_no_change():
    assert Variation("x", "naturality", "", lambda text, rng: f"  {text} ").of("a b", 0) is None


def test_a_wrong_name_says_the_nearest():
    with pytest.raises(DataError, match="did you mean swap"):
        chosen(["swop"])
    assert [one.name for one in chosen(["qwerty", "swap"])] == ["swap", "qwerty"]


def test_no_query_breaks_a_variation():
    rng = random.Random(0)
    letters = "aAzé ß.?!'-1\u00a0中文\U0001f600\t"
    for _ in range(300):
        text = "".join(rng.choice(letters) for _ in range(rng.randrange(30)))
        for variation in VARIATIONS.values():
            made = variation.of(text, 0)
            assert made is None or made.split() != text.split()
