"""Training and gradients of influence: repeatable, right sign, equal to a plain computation."""

import numpy as np
import pytest

from tasks.provenance.influence.samples import PAD

pytestmark = pytest.mark.slow

TOKENS = np.random.default_rng(0).integers(0, 30, (24, 9)).astype(np.int32)


@pytest.fixture(scope="module")
def proxy():
    from tasks.provenance.influence.proxy import Proxy, ProxyOptions

    options = ProxyOptions(
        vocabulary=30, width=16, layers=1, heads=2, epochs=30, batch=8, checkpoints=(10,)
    )
    return Proxy(options=options)


@pytest.fixture(scope="module")
def models(proxy):
    return proxy.train(TOKENS, 1)


def test_equal_samples_and_seed_give_equal_weights_whatever_ran_before(proxy, models):
    import torch

    from tasks.provenance.influence.proxy import dump_weights

    torch.rand(7)
    before = torch.get_rng_state()
    again = proxy.train(TOKENS, 1)
    assert torch.equal(before, torch.get_rng_state())
    assert [dump_weights(m) for m in again] == [dump_weights(m) for m in models]
    assert dump_weights(proxy.train(TOKENS, 2)[-1]) != dump_weights(models[-1])


def test_training_lowers_the_loss_and_checkpoints_come_in_order(proxy, models):
    from tasks.provenance.influence.proxy import SmallLm, measure_losses

    untrained = SmallLm(proxy.options)
    early, last = (measure_losses(proxy, model, TOKENS).mean() for model in models)
    assert last < early < measure_losses(proxy, untrained, TOKENS).mean()


def test_weights_and_options_survive_storage(proxy, models):
    from tasks.provenance.influence.proxy import Proxy, dump_weights, measure_losses

    again = Proxy.of(proxy.facts())
    assert again == proxy
    loaded = again.load_bytes(dump_weights(models[-1]))
    expected = measure_losses(proxy, models[-1], TOKENS)
    assert measure_losses(again, loaded, TOKENS) == pytest.approx(expected)


def test_padding_adds_nothing_to_a_loss(proxy, models):
    from tasks.provenance.influence.proxy import measure_losses

    padded = np.hstack([TOKENS, np.full((24, 3), PAD, np.int32)])
    expected = measure_losses(proxy, models[-1], TOKENS)
    assert measure_losses(proxy, models[-1], padded) == pytest.approx(expected, rel=1e-5)


def plain_embedding_scores(proxy, model, train, queries):
    """The same by full gradients of the embedding, one sample after the other, in dense algebra."""
    import torch

    from tasks.provenance.influence.embedding import DAMPING
    from tasks.provenance.influence.proxy import reproducible

    def per_position(tokens, sampled):
        kept = []
        hook = model.tokens.register_forward_hook(
            lambda _, __, output: kept.append(output) or output.retain_grad()
        )
        with reproducible(0):
            proxy.losses(model, tokens, sampled=sampled).sum().backward()
        hook.remove()
        return kept[0].grad.double().numpy()

    def full(tokens, by_position):
        rows = np.zeros((len(tokens), 30, 16))
        for n, row in enumerate(tokens):
            for t, token in enumerate(row[:-1]):
                rows[n, token] += by_position[n, t]
        return rows

    drawn = per_position(train, True)
    _, basis = np.linalg.eigh(sum(np.outer(g, g) for g in drawn.reshape(-1, 16)))
    moments = (full(train, drawn) @ basis) ** 2
    values = moments.mean(axis=0)
    damped = values + DAMPING * values[values > 0].mean()
    left, right = [], []
    for tokens, out in ((queries, left), (train, right)):
        for row in tokens:
            model.zero_grad()
            proxy.losses(model, torch.from_numpy(row[None])).sum().backward()
            out.append(model.tokens.weight.grad.double().numpy() @ basis)
    return np.einsum("qvk,nvk->qn", np.array(left) / damped, np.array(right))


def test_the_embedding_term_equals_dense_algebra_on_full_gradients(proxy, models):
    from tasks.provenance.influence.embedding import score_embedding

    found = score_embedding(proxy, models[0], TOKENS, TOKENS[:3])
    expected = plain_embedding_scores(proxy, models[0], TOKENS, TOKENS[:3])
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_a_sample_helps_itself_most_by_every_gradient_part(proxy, models, tmp_path):
    pytest.importorskip("kronfluence", reason="the extra `influence` is not installed")
    from tasks.provenance.influence.ekfac import fit_factors, score_queries
    from tasks.provenance.influence.embedding import score_embedding

    fit_factors(proxy, models, TOKENS, tmp_path)
    scores = score_queries(proxy, models, TOKENS, TOKENS[:8], tmp_path)
    assert scores.shape == (2, 8, 24)
    embedded = score_embedding(proxy, models[0], TOKENS, TOKENS[:8])
    for found in (*scores, embedded):
        assert (found.argmax(axis=1) == np.arange(8)).all()
        assert (found[np.arange(8), np.arange(8)] > 0).all()


def test_any_trainer_with_three_methods_can_be_explained_and_calibrated():
    """A bigram network of another make: no attention, plain gradient descent."""
    import torch
    from torch import nn
    from torch.nn import functional

    from tasks.provenance.influence.calibrate import calibrate, draw_subsets, retrain
    from tasks.provenance.influence.lexical import score_bigrams

    class Other:
        def train(self, tokens, seed):
            torch.manual_seed(seed)
            model = nn.Sequential(nn.Embedding(12, 8), nn.Linear(8, 12))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
            for _ in range(60):
                optimizer.zero_grad()
                self.losses(model, tokens).mean().backward()
                optimizer.step()
            return [model]

        def losses(self, model, tokens, *, sampled=False):
            ids = torch.as_tensor(tokens).long()
            logits = model(ids[:, :-1]).transpose(1, 2)
            return functional.cross_entropy(logits, ids[:, 1:], reduction="none").sum(1)

        def embedding(self, model):
            return model[0]

    draw = np.random.default_rng(1)
    topics = [np.arange(6), np.arange(6, 12)]
    train = np.array([draw.choice(topics[at // 8], 9) for at in range(16)], np.int32)
    queries = np.array([draw.choice(topics[at % 2], 9) for at in range(6)], np.int32)
    masks = draw_subsets([str(at) for at in range(16)], 20, seed=0)
    shown = []
    truth = retrain(Other(), train, queries, masks, (1,), lambda *a: shown.append(a))
    assert shown[-1] == ("retrain", 20, 20)
    assert calibrate(score_bigrams(train, queries), truth).low > 0.3
