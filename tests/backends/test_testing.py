import pytest

from ponderank.backends.adapters import WordTokenizer
from ponderank.backends.testing import Counting, Oracle, Replay, Scripted
from ponderank.errors import BackendError
from ponderank.types import Attend, Choose, Classify, Embed, Fused, Generate, Likelihood, Part, Reply

PAIRS = [Classify("q", str(i)) for i in range(20)]
PROMPT = (Part("one two ", trusted=True), Part("three", trusted=False))


def ask(backend, calls):
    tickets = {backend.add(call): call for call in calls}
    replies = []
    while len(replies) < len(calls):
        replies += backend.step()
    return [(tickets[ticket], reply) for ticket, reply in replies]


def test_an_oracle_with_a_seed_answers_in_another_order_that_the_seed_decides():
    orders = [[call.text for call, _ in ask(Oracle(lambda q, t: 0.0, seed=seed), PAIRS)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(call.text for call in PAIRS)


def test_noise_is_the_same_for_the_same_pair():
    first, second = (dict(ask(Oracle(lambda q, t: 0.0, seed=3, noise=1.0), pairs)) for pairs in (PAIRS, PAIRS[::-1]))
    assert first == second
    assert len({reply.scores for reply in first.values()}) == len(PAIRS)


def test_an_oracle_that_was_not_told_says_so():
    with pytest.raises(BackendError, match="the oracle knows no relevance of '0'"):
        ask(Oracle({"a": 1.0}), PAIRS[:1])


def test_a_script_that_is_too_short_names_the_call():
    backend = Scripted([Reply()])
    backend.add(PAIRS[0])
    with pytest.raises(BackendError, match=r"the script ends before call 2: Classify"):
        backend.add(PAIRS[1])
    assert backend.calls == PAIRS[:2]


def test_a_replay_answers_by_the_call_in_any_order():
    recorded = [(call, Reply(scores=(float(call.text),))) for call in PAIRS]
    assert ask(Replay(recorded), PAIRS[::-1]) == recorded[::-1]


def test_a_replay_refuses_what_was_not_recorded():
    with pytest.raises(BackendError, match="this call was not recorded"):
        Replay([]).add(PAIRS[0])


@pytest.mark.parametrize(
    ("call", "scores", "tokens"),
    [
        (Classify("a b", "c"), (0.0,), 3),
        (Choose(PROMPT, ("A", "B")), (0.0, 0.0), 3),
        (Generate(PROMPT, 9, watch=("yes",)), (0.0,), 3),
        (Generate(PROMPT, 9), (), 3),
        (Likelihood(PROMPT, "x"), (0.0,), 3),
        (Classify("a b", "c", other="d e"), (0.0,), 5),
        (Fused((PROMPT, PROMPT), 7), (), 6),
        (Attend(PROMPT, (0,), 1), (), 3),
        (Embed(PROMPT), (), 3),
    ],
)
def test_a_dry_run_answers_neutrally_and_counts_tokens(call, scores, tokens):
    ((_, reply),) = ask(Counting(WordTokenizer()), [call])
    assert reply.scores == scores
    assert (reply.usage.calls, reply.usage.prompt_tokens) == (1, tokens)


def test_a_dry_run_counts_pairs_as_the_model_reads_them():
    class Pairs(WordTokenizer):
        def pair_tokens(self, query, text):
            return 3 + self.count(query) + self.count(text)

    ((_, reply),) = ask(Counting(Pairs()), [Classify("a", "b c")])
    assert reply.usage.prompt_tokens == 6


def test_a_dry_run_writes_a_fused_text_to_its_last_token():
    ((_, reply),) = ask(Counting(WordTokenizer()), [Fused((PROMPT, PROMPT), 7)])
    assert (reply.text, reply.usage.output_tokens) == ("", 7)


def test_in_a_dry_run_no_word_of_a_part_gets_attention():
    ((_, reply),) = ask(Counting(WordTokenizer()), [Attend(PROMPT, (1, 0), 1)])
    assert reply.vectors == ((0.0,), (0.0, 0.0))


def test_in_a_dry_run_all_embeddings_are_one_and_a_words_has_its_span():
    ((_, pooled), (_, each)) = ask(Counting(WordTokenizer()), [Embed(PROMPT), Embed(PROMPT, "tokens")])
    assert pooled.vectors == ((1.0,),)
    assert each.vectors == ((1.0,),) * 3
    assert each.spans == ((0, 3), (4, 7), (8, 13))
