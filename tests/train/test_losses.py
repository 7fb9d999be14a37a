import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from ponderank import DataError  # noqa: E402
from ponderank.train import losses, losses_text, plackett_luce  # noqa: E402

S = [0.5, 2.0, -1.0, 1.0]
Y = [3.0, 0.0, 1.0, 2.0]
FIRST = [1.0, 0.0, 0.0, 0.0]


def row(values, dtype=torch.float64):
    return torch.tensor([values], dtype=dtype)


def dear(scores, target, mask=None, **options):
    return losses.dear(scores, (target > 1).to(scores.dtype), target, mask, **options)


def policy_gradient(scores, target, mask=None, generator=None, **options):
    seeded = generator or torch.Generator().manual_seed(3)
    return plackett_luce.plackett_luce(scores, target, mask, k=3, samples=4, generator=seeded, **options)


def irpo(scores, target, mask=None, **options):
    return losses_text.irpo(scores, 0.3 * target * target, target, mask, **options)


LISTS = {
    "softmax_cross_entropy": losses.softmax_cross_entropy,
    "margin_mse": losses.margin_mse,
    "ranknet_soft": losses.ranknet_soft,
    "kl_distillation": losses.kl_distillation,
    "dear": dear,
    "weighted_ranknet": losses.weighted_ranknet,
    "plackett_luce": policy_gradient,
    "irpo": irpo,
    "importance_weighted_lm": losses_text.importance_weighted_lm,
}


def each(*, but=()):
    return pytest.mark.parametrize("name", [name for name in LISTS if name not in but])


@st.composite
def batches(draw, least=1):
    """Scores, grades and a mask, ``[Q, N]``; each query has a document."""
    queries, docs = draw(st.integers(1, 3)), draw(st.integers(least, 5))
    cells = queries * docs
    scores = draw(st.lists(st.floats(-8, 8, width=32), min_size=cells, max_size=cells))
    grades = draw(st.lists(st.integers(0, 3), min_size=cells, max_size=cells))
    mask = torch.tensor(draw(st.lists(st.booleans(), min_size=cells, max_size=cells))).view(queries, docs)
    mask[:, 0] = True
    shaped = (torch.tensor(x, dtype=torch.float64).view(queries, docs) for x in (scores, grades))
    return *shaped, mask


def taught(name, scores, target, mask, **options):
    """A loss and its gradient."""
    scores = scores.clone().requires_grad_()
    loss = LISTS[name](scores, target, mask, **options)
    (gradient,) = torch.autograd.grad(loss, scores)
    return loss.detach(), gradient


def close(left, right, tolerance=1e-9):
    return torch.allclose(left, right, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda: losses.softmax_cross_entropy(row(S), row(FIRST)), 1.995182),
        (lambda: losses.kl_distillation(row(S), row(Y), temperature=2.0), 1.276561),
        (lambda: losses.margin_mse(row(S), row(Y)), 7.583333),
        (lambda: losses.weighted_ranknet(row(S), row(Y)), 0.232517),
        (lambda: losses_text.irpo(row(S), row([0.0] * 4), row(Y), beta=1.0), 2.544695),
    ],
    ids=["softmax cross-entropy", "T^2 KL", "Margin-MSE", "FIRST's weighted RankNet", "IRPO"],
)
def test_published_formulas_give_the_values_worked_out_by_hand(loss, expected):
    assert loss().item() == pytest.approx(expected, abs=1e-6)


def test_the_worked_out_values_are_what_the_formulas_say():
    n, ranks = range(4), [1, 4, 3, 2]
    log_sum = math.log(sum(map(math.exp, S)))
    assert log_sum - S[0] == pytest.approx(1.995182, abs=1e-6)
    p, q = ([math.exp(x / 2) / sum(math.exp(z / 2) for z in xs) for x in xs] for xs in (Y, S))
    assert 4 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) == pytest.approx(1.276561, abs=1e-6)
    pairs = [(i, j) for i in n for j in n if Y[i] > Y[j]]
    softplus = [math.log1p(math.exp(S[j] - S[i])) / (ranks[i] + ranks[j]) for i, j in pairs]
    assert sum(softplus) / len(pairs) == pytest.approx(0.232517, abs=1e-6)
    total = 0.0
    for i in n:
        others = sum(math.exp(S[j] - S[i]) for j in n if j != i) / 3
        total += (2 ** Y[i] - 1) / math.log2(i + 2) * math.log1p(others)
    assert total / 4 == pytest.approx(2.544695, abs=1e-6)


def test_softmax_cross_entropy_gives_the_values_in_tensorflow_rankings_documentation():
    assert losses.softmax_cross_entropy(row([0.6, 0.8]), row([1.0, 0.0])).item() == pytest.approx(0.7981389, abs=1e-7)
    scores = torch.tensor([[0.6, 0.8, 99.0], [0.5, 0.8, 0.4]])
    labels = torch.tensor([[1.0, 0.0, 9.0], [0.0, 1.0, 0.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert losses.softmax_cross_entropy(scores, labels, mask).item() == pytest.approx(0.83911896, abs=1e-6)


def test_soft_ranknet_is_the_cross_entropy_of_two_logistic_probabilities():
    def logistic(x):
        return 1 / (1 + math.exp(-x))

    expected = 0.0
    for i, j in itertools.combinations(range(4), 2):
        target, ours = logistic(Y[i] - Y[j]), logistic(S[i] - S[j])
        expected -= (target * math.log(ours) + (1 - target) * math.log(1 - ours)) / 6
    assert losses.ranknet_soft(row(S), row(Y)).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("ranknet", "target"), [(0.0, "labels"), (0.5, "labels"), (1.0, "teacher")])
def test_dear_is_the_mix_of_its_three_parts(ranknet, target):
    scores, labels, teacher = row(S), row(FIRST), row(Y)
    main = (1 - ranknet) * 1.995182 + ranknet * losses.ranknet_soft(scores, labels if target == "labels" else teacher)
    found = losses.dear(scores, labels, teacher, ranknet=ranknet, ranknet_target=target, alpha=0.3, temperature=2.0)
    assert found.item() == pytest.approx(float(0.7 * main + 0.3 * 1.276561), abs=1e-6)


def test_identifiers_weigh_by_rank_and_separators_one_in_the_language_model_loss():
    ranks = row([1, 1, 1, 0, 2, 2, 2, 0])
    expected = (3 * 2.0 + 1 + 3 * (1 + 1 / math.log2(3)) + 1) / 8
    assert losses_text.importance_weighted_lm(-torch.ones(1, 8), ranks).item() == pytest.approx(expected, abs=1e-6)


def test_dpo_is_the_logistic_loss_of_the_difference_in_gains():
    sums = [torch.tensor([x], dtype=torch.float64) for x in (-10.0, -14.0, -11.0, -12.0)]
    assert losses_text.dpo(*sums, beta=0.5).item() == pytest.approx(math.log1p(math.exp(-1.5)))
    smoothed = 0.9 * math.log1p(math.exp(-1.5)) + 0.1 * math.log1p(math.exp(1.5))
    assert losses_text.dpo(*sums, beta=0.5, label_smoothing=0.1).item() == pytest.approx(smoothed)


@each()
def test_the_gradient_is_the_derivative_of_the_value(name):
    torch.manual_seed(1)
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 4, (3, 5)).double()
    mask = torch.tensor([[True] * 5, [True, True, True, False, False], [True, False, True, True, True]])
    assert torch.autograd.gradcheck(lambda s: LISTS[name](s, target, mask), scores)


def test_the_gradient_of_dpo_is_the_derivative_of_its_value():
    sums = [torch.randn(4, dtype=torch.float64, requires_grad=i < 2) for i in range(4)]
    assert torch.autograd.gradcheck(lambda *x: losses_text.dpo(*x, beta=0.7, label_smoothing=0.1), sums)


def test_the_gradient_of_a_rankings_probability_is_its_derivative():
    scores = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    rankings = torch.stack([torch.stack([torch.randperm(4) for _ in range(2)]) for _ in range(3)])
    assert torch.autograd.gradcheck(lambda s: plackett_luce.plackett_luce_logprob(s, rankings, k=2), scores)


@each()
@settings(max_examples=40, deadline=None)
@given(batch=batches(), data=st.data())
def test_what_stands_in_padding_never_matters(name, batch, data):
    scores, target, mask = batch
    before, gradient = taught(name, scores, target, mask)
    width = scores.shape[1]
    where = data.draw(st.lists(st.integers(1, width), min_size=1, max_size=3).map(sorted))
    columns = sorted([*range(width), *[x - 0.5 for x in where]])
    kept = [i for i, x in enumerate(columns) if x == int(x)]
    junk = data.draw(st.sampled_from([math.nan, math.inf, -math.inf, 1e4, 0.0]))
    wide = [
        torch.full((len(scores), len(columns)), fill, dtype=x.dtype) for x, fill in ((scores, junk), (target, junk))
    ]
    real = torch.zeros(len(scores), len(columns), dtype=torch.bool)
    for table, values in ((wide[0], scores), (wide[1], target), (real, mask)):
        table[:, kept] = values
    after, found = taught(name, *wide, real)
    assert close(before, after)
    assert close(found[:, kept], gradient)
    assert not found[~real].any()


@each()
def test_a_query_of_padding_alone_is_not_counted(name):
    scores, target = torch.randn(1, 4, dtype=torch.float64), row(Y)
    loss, _ = taught(name, scores, target, None)
    mask = torch.tensor([[True] * 4, [False] * 4])
    more, gradient = taught(name, torch.cat([scores, scores]), torch.cat([target, target]), mask)
    assert close(loss, more)
    assert not gradient[1].any()
    nothing, gradient = taught(name, scores, target, torch.zeros(1, 4, dtype=torch.bool))
    assert nothing == 0
    assert not gradient.any()


@each(but=["plackett_luce"])  # its samples follow the positions; the enumeration below says what they must average to
@settings(max_examples=40, deadline=None)
@given(batch=batches(), data=st.data())
def test_gradients_follow_their_documents_through_any_order(name, batch, data):
    scores, target, mask = batch
    places = list(range(scores.shape[1]))
    fixed = 1 if name == "margin_mse" else 0  # where the positive stands
    order = places[:fixed] + data.draw(st.permutations(places[fixed:]))
    shown = {"ranks": mask.cumsum(-1)} if name == "irpo" else {}
    moved = {key: value[:, order] for key, value in shown.items()}
    loss, gradient = taught(name, scores, target, mask, **shown)
    other, found = taught(name, scores[:, order], target[:, order], mask[:, order], **moved)
    assert close(loss, other)
    assert close(gradient[:, order], found)


@each(but=["importance_weighted_lm"])
@settings(max_examples=30, deadline=None)
@given(batch=batches(), shift=st.floats(-50, 50))
def test_a_constant_added_to_a_querys_scores_changes_nothing(name, batch, shift):
    scores, target, mask = batch
    loss, gradient = taught(name, scores, target, mask)
    other, found = taught(name, scores + shift, target, mask)
    assert close(loss, other, 1e-7)
    assert close(gradient, found, 1e-7)


@each()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_scores_of_ten_thousand_give_finite_values_and_gradients(name, dtype, data):
    width = data.draw(st.integers(1, 5))
    scores = data.draw(st.lists(st.sampled_from([-1e4, 0.0, 1e4]), min_size=width, max_size=width))
    target = data.draw(st.lists(st.integers(0, 3), min_size=width, max_size=width))
    loss, gradient = taught(name, row(scores, dtype), row(target, dtype), None)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert gradient.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dpo_is_finite_for_sums_of_ten_thousand(dtype):
    chosen = torch.tensor([-1e4, 0.0], dtype=dtype, requires_grad=True)
    sums = (chosen, -1e4 - chosen.detach(), torch.zeros(2, dtype=dtype), torch.zeros(2, dtype=dtype))
    loss = losses_text.dpo(*sums)
    (gradient,) = torch.autograd.grad(loss, chosen)
    assert loss.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "weighted_ranknet", "plackett_luce"])
@settings(max_examples=25, deadline=None)
@given(batch=batches(), level=st.integers(0, 3))
def test_a_list_of_one_label_level_teaches_nothing(name, batch, level):
    scores, target, mask = batch
    loss, gradient = taught(name, scores, torch.full_like(target, level), mask)
    assert loss == 0
    assert not gradient.any()


@settings(max_examples=25, deadline=None)
@given(batch=batches())
def test_a_list_without_a_relevant_item_teaches_nothing_in_irpo(batch):
    scores, target, mask = batch
    assert losses_text.irpo(scores, scores * 0, target * 0, mask) == 0


@each()
@settings(max_examples=40, deadline=None)
@given(batch=batches())
def test_a_ragged_batch_is_the_mean_of_its_queries_one_by_one(name, batch):
    scores, target, mask = batch
    seeded = [{"generator": torch.Generator().manual_seed(5)} if name == "plackett_luce" else {} for _ in range(2)]
    together, gradient = taught(name, scores, target, mask, **seeded[0])
    alone = []
    for query in range(len(scores)):
        kept = mask[query]
        lone = (scores[query][kept][None], target[query][kept][None], torch.ones(1, int(kept.sum()), dtype=torch.bool))
        loss, slope = taught(name, *lone, **seeded[1])
        assert close(gradient[query][kept] * len(scores), slope[0])
        alone.append(loss)
    assert close(together, torch.stack(alone).mean())


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "margin_mse", "ranknet_soft", "kl_distillation", "dear",
                                  "weighted_ranknet", "plackett_luce"])  # fmt: skip
def test_each_querys_loss_is_multiplied_by_its_own_weight(name):
    torch.manual_seed(2)
    scores, target = (
        torch.randn(2, 4, dtype=torch.float64),
        torch.tensor([Y, [0.0, 2.0, 0.0, 1.0]], dtype=torch.float64),
    )
    mask = torch.ones(2, 4, dtype=torch.bool)
    _, plain = taught(name, scores, target, mask)
    _, weighted = taught(name, scores, target, mask, weights=torch.tensor([0.25, 3.0]))
    assert close(weighted, plain * torch.tensor([[0.25], [3.0]]))
    assert plain.any(-1).all()


@pytest.mark.parametrize("name", ["margin_mse", "ranknet_soft", "kl_distillation", "weighted_ranknet", "dear"])
def test_a_teacher_gets_no_gradient(name):
    teacher = row(Y).requires_grad_()
    scores = row(S).requires_grad_()
    LISTS[name](scores, teacher).backward()
    assert teacher.grad is None
    assert scores.grad.any()


def test_normalised_labels_weigh_a_query_of_many_positives_as_one_of_few():
    scores, labels = row(S), row([1.0, 1.0, 0.0, 0.0])
    many = losses.softmax_cross_entropy(scores, labels)
    assert close(losses.softmax_cross_entropy(scores, labels, normalise=True), many / 2)
    assert close(losses.softmax_cross_entropy(scores * 2, labels, temperature=2.0), many)


def test_normalising_labels_that_are_all_zero_harms_nothing():
    scores = torch.cat([row(S), row(S)]).requires_grad_()
    loss = losses.softmax_cross_entropy(scores, torch.cat([row(FIRST), row(FIRST) * 0]), normalise=True)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert loss.item() == pytest.approx(1.995182 / 2, abs=1e-6)
    assert gradient.isfinite().all()


def test_negatives_without_a_positive_have_no_margins():
    mask = torch.tensor([[False, True, True, True]])
    loss, gradient = taught("margin_mse", row(S), row(Y), mask)
    assert loss == 0
    assert not gradient.any()


def test_ranks_in_the_weights_of_ranknet_are_each_querys_own():
    one = losses.weighted_ranknet(row(S), row(Y))
    both = losses.weighted_ranknet(torch.cat([row(S)] * 2), torch.cat([row(Y)] * 2))
    assert close(one, both)


def test_only_the_order_of_labels_counts_in_weighted_ranknet():
    permutation = row([-1.0, -4.0, -3.0, -2.0])
    assert close(losses.weighted_ranknet(row(S), row(Y)), losses.weighted_ranknet(row(S), permutation))


def test_only_what_a_model_gained_over_its_reference_counts_in_irpo():
    reference = row([0.3, -2.0, 1.0, 0.0])
    found = losses_text.irpo(row(S) + reference, reference, row(Y), beta=0.5)
    assert close(found, losses_text.irpo(row(S), reference * 0, row(Y), beta=0.5))


def test_an_item_is_kept_out_of_its_own_sum_whatever_beta_is():
    rewards, labels = row([5.0, 1.0]), row([1.0, 0.0])
    found = losses_text.irpo(rewards, rewards * 0, labels, beta=0.1)
    assert found.item() == pytest.approx(math.log1p(math.exp(-0.4)) / 2, abs=1e-12)


def test_one_item_alone_teaches_nothing_in_irpo():
    loss, gradient = taught("irpo", row([3.0]), row([1.0]), None)
    assert loss == 0
    assert not gradient.any()


def expected_gradient(scores, labels, k, temperature):
    """Minus the exact gradient of the expected nDCG@k, by enumerating every ranking."""
    scores = scores.clone().requires_grad_()
    n = scores.shape[1]
    best = sum(y / math.log2(r + 2) for r, y in enumerate(sorted(labels, reverse=True)[:k]))
    total = 0.0
    for order in itertools.permutations(range(n)):
        probability, left = 1.0, list(range(n))
        for doc in order:
            probability = probability * torch.softmax(scores[0][left] / temperature, 0)[left.index(doc)]
            left.remove(doc)
        total = total + probability * sum(labels[d] / math.log2(r + 2) for r, d in enumerate(order[:k])) / best
    (gradient,) = torch.autograd.grad(-total, scores)
    return gradient


@pytest.mark.parametrize(("k", "temperature"), [(1, 1.0), (2, 1.0), (3, 0.7)])
def test_the_mean_policy_gradient_is_the_gradient_of_the_expected_ndcg(k, temperature):
    scores, labels = row([0.4, -0.2, 0.1]), [0.0, 2.0, 1.0]
    exact = expected_gradient(scores, labels, k, temperature)
    leaf = scores.clone().requires_grad_()
    generator = torch.Generator().manual_seed(0)
    options = {"k": k, "temperature": temperature, "samples": 40_000, "generator": generator}
    plackett_luce.plackett_luce(leaf, row(labels), **options).backward()
    assert exact.abs().max() > 0.05
    assert (leaf.grad - exact).abs().max() < 0.005


def test_a_sample_weighs_by_its_ndcg_minus_the_mean_of_the_others_and_by_its_first_draws_alone():
    scores, labels, mask = row(S), row([0.0, 1.0, 2.0, 0.0]), torch.ones(1, 4, dtype=torch.bool)
    seeds = [torch.Generator().manual_seed(11) for _ in range(2)]
    found = plackett_luce.plackett_luce(scores, labels, k=2, samples=3, generator=seeds[0])
    rankings = plackett_luce.sample_rankings(scores, mask, samples=3, generator=seeds[1])[:, 0].tolist()
    half = 1 / math.log2(3)
    utility = [(labels[0, a] + labels[0, b] * half).item() / (2 + half) for a, b, *_ in rankings]
    expected = 0.0
    for n, (a, b, *_) in enumerate(rankings):
        chance = (
            math.exp(S[a])
            / sum(map(math.exp, S))
            * math.exp(S[b])
            / sum(math.exp(s) for i, s in enumerate(S) if i != a)
        )
        expected -= (utility[n] - (sum(utility) - utility[n]) / 2) * math.log(chance) / 3
    assert len(set(utility)) > 1
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_two_samples_are_enough_for_an_unbiased_policy_gradient():
    scores, labels = row([0.4, -0.2, 0.1]).repeat(30_000, 1), row([0.0, 2.0, 1.0]).repeat(30_000, 1)
    leaf = scores.clone().requires_grad_()
    generator = torch.Generator().manual_seed(1)
    plackett_luce.plackett_luce(leaf, labels, k=2, samples=2, generator=generator).backward()
    exact = expected_gradient(scores[:1], [0.0, 2.0, 1.0], 2, 1.0)
    assert (leaf.grad.sum(0) - exact).abs().max() < 0.01


def test_rankings_are_drawn_as_often_as_their_probability_says():
    scores, mask = row([1.0, 0.0, -0.5]), torch.ones(1, 3, dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    drawn = plackett_luce.sample_rankings(scores, mask, samples=40_000, generator=generator)
    for order in itertools.permutations(range(3)):
        ranking = torch.tensor(order).view(1, 1, 3)
        share = (drawn == ranking).all(-1).double().mean().item()
        assert share == pytest.approx(plackett_luce.plackett_luce_logprob(scores, ranking, k=3).exp().item(), abs=0.012)


def test_the_probabilities_of_all_rankings_add_up_to_one():
    rankings = torch.tensor(list(itertools.permutations(range(4))))[:, None, :]
    assert plackett_luce.plackett_luce_logprob(row(S), rankings, k=4).exp().sum().item() == pytest.approx(1.0)


def test_exponential_gains_reward_high_grades_more():
    mask, rankings = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[[1, 0]]])
    labels = row([3.0, 1.0])
    worst = [plackett_luce._ndcg(labels, mask, rankings, 2, gain).item() for gain in ("linear", "exponential")]
    half = 1 / math.log2(3)
    assert worst == pytest.approx([(1 + 3 * half) / (3 + half), (1 + 7 * half) / (7 + half)])


def test_identifiers_are_found_where_they_stand_in_the_text():
    pre_tokenizers = pytest.importorskip("tokenizers").pre_tokenizers
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(individual_digits=True)]
    )
    text = "[10] > [2] > [7]"
    tokens = split.pre_tokenize_str(text)
    ranks = losses_text.identifier_ranks(text, [offsets for _, offsets in tokens])
    assert [(token, rank) for (token, _), rank in zip(tokens, ranks, strict=True)] == [
        ("[", 1), ("1", 1), ("0", 1), ("]", 1), (" ", 0), (">", 0), (" ", 0), ("[", 2), ("2", 2), ("]", 2), (" ", 0),
        (">", 0), (" ", 0), ("[", 3), ("7", 3), ("]", 3),
    ]  # fmt: skip


def test_letters_can_be_identifiers_and_a_space_may_belong_to_their_token():
    ranks = losses_text.identifier_ranks(
        "[B] > [A]", [(0, 1), (1, 2), (2, 3), (3, 5), (5, 7), (7, 8), (8, 9)], identifier=r"\[[A-Z]\]"
    )
    assert ranks == [1, 1, 1, 0, 2, 2, 2]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"have the shapes \[\(1, 4\), \(1, 1\), \(1, 4\)\]"):
        losses.kl_distillation(row(S), row([1.0]))
    with pytest.raises(DataError, match="give one number per pair"):
        losses_text.dpo(torch.zeros(2), torch.zeros(1), torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda: losses.plackett_luce(row(S), row(Y), samples=1), "samples is 1; give at least 2"),
        (lambda: losses.plackett_luce(row(S), row(Y), gain="log"), "gain is 'log'; give 'linear' or 'exponential'"),
        (lambda: losses.dear(row(S), row(Y), row(Y), ranknet_target="x"), "give 'labels' or 'teacher'"),
    ],
)
def test_options_that_mean_nothing_are_refused(loss, message):
    with pytest.raises(DataError, match=message):
        loss()


def test_the_table_names_every_loss_over_scores():
    assert set(losses.LOSSES) == set(LISTS) - {"irpo", "importance_weighted_lm"}
