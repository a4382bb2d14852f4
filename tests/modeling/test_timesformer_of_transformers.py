"""TimeSformer out of transformers' own class: the same where that is right, and right where it is not."""

import pytest
import torch
from tiny_time_sformer import tiny, tiny_of_transformers
from transformers import TimesformerModel

from holovid import TimeSformerForVideoClassification
from holovid.modeling.linear import use_torch


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("width", [36, 384])
@torch.no_grad()
def test_bit_equal_at_its_own_size(width, batch):
    theirs = tiny_of_transformers(hidden_size=width, num_attention_heads=width // 12)
    ours = TimeSformerForVideoClassification.from_transformers(theirs)
    frames = torch.randn(batch, 6, 3, 24, 24)
    expected = theirs(frames).logits
    torch.testing.assert_close(ours(frames).logits, expected, rtol=1e-4, atol=1e-4)
    ours.set_attn_implementation("eager")
    use_torch(ours)
    assert torch.equal(ours(frames).logits, expected)


@torch.no_grad()
def test_joint_and_space_only():
    frames = torch.randn(2, 6, 3, 24, 24)
    theirs = tiny_of_transformers(attention_type="joint_space_time")
    ours = TimeSformerForVideoClassification.from_transformers(theirs)
    torch.testing.assert_close(ours(frames).logits, theirs(frames).logits, rtol=1e-4, atol=1e-4)
    theirs = tiny_of_transformers(attention_type="space_only")
    ours = TimeSformerForVideoClassification.from_transformers(theirs)
    assert theirs(frames).logits.shape == (12, 5)  # not finished: a row for each frame
    assert ours(frames).logits.shape == (2, 5)
    torch.testing.assert_close(ours(frames[:, :1]).logits, theirs(frames[:, :1]).logits, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_folders_and_names(tmp_path):
    theirs = tiny_of_transformers(id2label={index: f"class {index}" for index in range(5)}, layer_norm_eps=1e-5)
    theirs.save_pretrained(tmp_path / "whole")
    ours = TimeSformerForVideoClassification.from_transformers(tmp_path / "whole")
    assert ours.config.id2label[3] == "class 3" and ours.config.layer_norm_eps == 1e-5 and not ours.training
    frames = torch.randn(1, 6, 3, 24, 24)
    ours.set_attn_implementation("eager")
    assert torch.equal(ours(frames).logits, theirs(frames).logits)
    ours.save_pretrained(tmp_path / "ours")
    again = TimeSformerForVideoClassification.from_pretrained(tmp_path / "ours", attn_implementation="eager")
    assert torch.equal(again(frames).logits, theirs(frames).logits)
    TimesformerModel(theirs.config).save_pretrained(tmp_path / "headless")
    with pytest.raises(ValueError, match=r"classifier\.weight"):
        TimeSformerForVideoClassification.from_transformers(tmp_path / "headless")
    half = TimeSformerForVideoClassification.from_transformers(theirs.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16


def test_other_classes_and_frames(caplog):
    theirs = tiny_of_transformers(id2label={index: f"class {index}" for index in range(5)})
    same = TimeSformerForVideoClassification.from_transformers(theirs, num_labels=5)
    assert torch.equal(same.classifier.weight, theirs.classifier.weight) and same.config.id2label[4] == "class 4"
    assert "New" not in caplog.text
    other = TimeSformerForVideoClassification.from_transformers(theirs, num_labels=2, num_frames=3)
    assert "New, to be trained: classifier\n" in caplog.text
    assert other.config.num_labels == 2 and other.config.num_frames == 3
    table = theirs.timesformer.embeddings.time_embeddings
    assert torch.equal(other.time_sformer.embeddings.temporal_embeddings, table[:, [0, 2, 4]])
    renamed = TimeSformerForVideoClassification.from_transformers(theirs, id2label=dict(enumerate("vwxyz")))
    assert not torch.equal(renamed.classifier.weight, theirs.classifier.weight)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (7, "got a int"),
        (TimesformerModel(tiny_of_transformers().config), "TimesformerModel, which has no classifier"),
        (tiny(), "got a time_sformer model"),
    ],
)
def test_what_is_something_else(source, message):
    with pytest.raises(ValueError, match=message):
        TimeSformerForVideoClassification.from_transformers(source)
