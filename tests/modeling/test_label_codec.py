"""Scores as vectors and back, against the numbers of the released code and against plain loops."""

import pytest
import torch
from golden_numbers import golden

from holovid.modeling.label_codec import (
    decode_by_support_vectors,
    decode_on_grid,
    encode,
    rescale,
    vectorized_regression_loss,
)
from holovid.training.score_regressor import fit_score_regressor

ANCHORS = (0, 1, 2, 3, 4, 5)
CODEC = golden("starvqa/label_codec.json")
SCORES = torch.tensor(CODEC["mos"], dtype=torch.float64)
ENCODED = torch.tensor(CODEC["encoded"], dtype=torch.float64)
RANDOM = torch.tensor(CODEC["random_probabilities (softmax(randn(8,6; seed 0)*1.5))"], dtype=torch.float64)


def test_label_vectors_are_the_released_ones():
    labels = encode(rescale(SCORES, (0, 100), (0, 5)), ANCHORS)
    torch.testing.assert_close(labels, ENCODED, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(encode(SCORES.float() / 20, ANCHORS), ENCODED.float(), rtol=1e-4, atol=1e-12)


def test_a_label_vector_gives_its_score():
    torch.testing.assert_close(decode_on_grid(ENCODED, ANCHORS) * 20, SCORES, rtol=0, atol=0.0101)
    other = torch.linspace(1, 3, 41)
    anchors = (1, 1.5, 2, 2.5, 3)  # not from 0, not 1 apart
    torch.testing.assert_close(decode_on_grid(encode(other, anchors), anchors), other, rtol=0, atol=4e-4)
    half = decode_on_grid(ENCODED.bfloat16(), ANCHORS)
    assert half.dtype == torch.bfloat16 and (half * 20 - SCORES).abs().max() < 1


def test_other_vectors_give_the_nearest_by_angle():
    decoded = decode_on_grid(RANDOM, ANCHORS)
    for vector, score in zip(RANDOM, decoded, strict=True):
        angles = {
            step / 1000: torch.cosine_similarity(vector, encode(torch.tensor(step / 1000).double(), ANCHORS), dim=0)
            for step in range(0, 5001)
        }
        assert score.item() == pytest.approx(max(angles, key=angles.get))


def test_support_vectors_decode_as_released():
    regressor = fit_score_regressor([step / 2 / 20 for step in range(201)], ANCHORS)
    assert regressor["gamma"] == pytest.approx(CODEC["svr_gamma_value"])
    assert len(regressor["coefficients"]) == CODEC["svr_n_support"]
    for vectors, want in ((ENCODED, "svr_decoded_encoded_labels_0_5"), (RANDOM, "svr_decoded_random_0_5")):
        got = decode_by_support_vectors(vectors, regressor)
        torch.testing.assert_close(got, torch.tensor(CODEC[want], dtype=torch.float64), rtol=0, atol=1e-6)
    single = decode_by_support_vectors(RANDOM.float(), regressor)
    torch.testing.assert_close(single.double(), decode_by_support_vectors(RANDOM, regressor), rtol=0, atol=1e-5)


def test_support_vectors_need_different_scores():
    for scores in ([2.0, 2.0], [1.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="at least 2 different, finite scores"):
            fit_score_regressor(scores, ANCHORS)


def test_scikit_learn_is_asked_for(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.svm", None)
    with pytest.raises(ImportError, match=r'pip install "holovid\[quality\]"'):
        fit_score_regressor([1.0, 2.0], ANCHORS)


def test_loss_is_the_released_one():
    case = golden("starvqa/loss.json")
    probabilities = torch.tensor(case["probabilities"], dtype=torch.float64)
    labels = encode(torch.tensor(case["mos"], dtype=torch.float64) / 20, ANCHORS)
    torch.testing.assert_close(labels, torch.tensor(case["labels"], dtype=torch.float64), rtol=1e-10, atol=1e-14)
    assert vectorized_regression_loss(probabilities, labels).item() == pytest.approx(case["mean"], abs=1e-7)
    for row, want in enumerate(case["per_sample"]):
        loss = vectorized_regression_loss(probabilities[row : row + 1], labels[row : row + 1])
        assert loss.item() == pytest.approx(want, abs=1e-7)


def test_clips_without_a_score_do_not_count():
    labels = encode(torch.tensor([1.0, float("nan")]), ANCHORS)
    logits = torch.randn(2, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = vectorized_regression_loss(logits.softmax(-1), labels)
    assert loss.item() == vectorized_regression_loss(logits.softmax(-1)[:1], labels[:1]).item()
    loss.backward()
    assert logits.grad[0].abs().sum() > 0 and logits.grad[1].eq(0).all()
    assert vectorized_regression_loss(logits.softmax(-1)[1:], labels[1:]).item() == 0
