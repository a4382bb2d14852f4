"""Mixup, CutMix and label smoothing: against the same done by hand, and against torch's own smoothed loss."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from holovid.data.mixing import ClipMixing
from holovid.recipes import get_recipe, recipes

CLASSES = 5


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(size: int = 4, sound: bool = False) -> list[dict[str, Tensor]]:
    """Clip i is i everywhere, and its sound is 10 + i: what is left of a clip can be read off."""
    rows = []
    for index in range(size):
        row = {
            "pixel_values_videos": torch.full((2, 3, 8, 10), float(index)),
            "labels": torch.tensor(index % CLASSES),
        }
        if sound:
            row |= {
                "input_values": torch.full((12, 6), 10.0 + index),
                "audio_mask": torch.tensor(True),
                "frame_times": torch.tensor([0.1, 0.2]) * index,
                "audio_span": torch.tensor([0.0, 1.0]) * index,
            }
        rows.append(row)
    return rows


def test_label_smoothing_is_torchs():
    logits = torch.randn(4, CLASSES)
    rows = ClipMixing({"labels": CLASSES}, label_smoothing=0.3)(batch(), generator())
    labels = torch.stack([row["labels"] for row in batch()])
    soft = torch.stack([row["labels"] for row in rows])
    torch.testing.assert_close(
        cross_entropy(logits, soft), cross_entropy(logits, labels, label_smoothing=0.3), atol=1e-6, rtol=0
    )
    assert all(
        torch.equal(row["pixel_values_videos"], old["pixel_values_videos"])
        for row, old in zip(rows, batch(), strict=True)
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_one_share_for_clips_sound_and_labels(smoothing):
    mixed = ClipMixing({"labels": CLASSES}, smoothing, mixup_alpha=0.8)(batch(sound=True), generator())
    share = 1 - float(mixed[0]["pixel_values_videos"][0, 0, 0, 0]) / 3  # the first clip is 0, its partner 3
    assert 0 < share < 1
    logits = torch.randn(4, CLASSES)
    for index, row in enumerate(mixed):
        partner = 3 - index
        value = share * index + (1 - share) * partner
        torch.testing.assert_close(row["pixel_values_videos"], torch.full((2, 3, 8, 10), value))
        torch.testing.assert_close(row["input_values"], torch.full((12, 6), 10 + value))
        torch.testing.assert_close(row["frame_times"], torch.tensor([0.1, 0.2]) * index)
        torch.testing.assert_close(row["audio_span"], torch.tensor([0.0, 1.0]) * index)
        losses = [
            cross_entropy(logits[index], torch.tensor(label), label_smoothing=smoothing) for label in (index, partner)
        ]
        torch.testing.assert_close(
            cross_entropy(logits[index], row["labels"]), share * losses[0] + (1 - share) * losses[1]
        )


def test_verbs_and_nouns_are_mixed_alike():
    rows = [
        {
            "pixel_values_videos": torch.zeros(1, 3, 4, 4),
            "verb_labels": torch.tensor(v),
            "noun_labels": torch.tensor(n),
        }
        for v, n in ((0, 6), (2, 1))
    ]
    first, second = ClipMixing({"verb_labels": 3, "noun_labels": 7}, mixup_alpha=1.0)(rows, generator())
    share = first["verb_labels"][0]
    torch.testing.assert_close(first["verb_labels"], torch.stack([share, share * 0, 1 - share]))
    torch.testing.assert_close(second["noun_labels"][[6, 1]], torch.stack([1 - share, share]))


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_puts_one_box_into_all_frames(seed):
    mixed = ClipMixing({"labels": CLASSES}, cutmix_alpha=1.0)(batch(sound=True), generator(seed))
    first = mixed[0]["pixel_values_videos"]
    inside = first == 3
    assert torch.equal(first, torch.where(inside, 3.0, 0.0)), "each pixel is of one clip"
    assert torch.equal(inside, inside[:1, :1].expand_as(inside)), "the same in all frames and channels"
    box = inside[0, 0]
    assert box.sum() == box.any(1).sum() * box.any(0).sum(), "a rectangle"
    share = 1 - box.float().mean()
    torch.testing.assert_close(mixed[0]["labels"][[0, 3]], torch.stack([share, 1 - share]))
    torch.testing.assert_close(mixed[0]["input_values"], torch.full((12, 6), 10 + 3 * (1 - float(share))))


@pytest.mark.parametrize("seed", range(5))
def test_a_box_in_the_sound_decides_about_the_labels(seed):
    mixing = ClipMixing({"labels": CLASSES}, mixup_alpha=0.8, sound_mixing="cutmix")
    first = mixing(batch(sound=True), generator(seed))[0]
    box = first["input_values"] == 13
    assert torch.equal(first["input_values"], torch.where(box, 13.0, 10.0))
    share = 1 - box.float().mean()
    torch.testing.assert_close(first["labels"][[0, 3]], torch.stack([share, 1 - share]))
    pixels = first["pixel_values_videos"]
    assert pixels.unique().numel() == 1 and 0 < pixels.max() < 3, "frames are mixed as a whole"
    # the box is cut at the border, so the labels have at least the share that was drawn, up to whole cells
    assert share >= 1 - pixels.max() / 3 - 0.1
    seen = mixing([row | {} for row in batch()], generator(seed))[0]
    torch.testing.assert_close(seen["labels"][3], seen["pixel_values_videos"].max() / 3)  # without sound, no box


def test_a_box_in_silence_decides_nothing():
    rows = batch(sound=True)
    for row in (rows[0], rows[3], rows[1]):
        row["audio_mask"] = torch.tensor(False)
    mixed = ClipMixing({"labels": CLASSES}, mixup_alpha=0.8, sound_mixing="cutmix")(rows, generator())
    shares = [row["labels"][index] for index, row in enumerate(mixed)]
    torch.testing.assert_close(1 - shares[0], mixed[0]["pixel_values_videos"].max() / 3)
    assert shares[0] == shares[3] and shares[1] == shares[2] and shares[0] != shares[1]


def test_a_mixed_clip_is_heard_if_one_in_it_is():
    rows = batch(4, sound=True)
    for index in (0, 1, 2):
        rows[index]["audio_mask"] = torch.tensor(False)
    mixed = ClipMixing({"labels": CLASSES}, mixup_alpha=0.8)(rows, generator())
    assert [bool(row["audio_mask"]) for row in mixed] == [True, False, False, True]
    still = ClipMixing({"labels": CLASSES}, mixup_alpha=0.8, mixup_probability=0.0)(rows, generator())
    assert [bool(row["audio_mask"]) for row in still] == [False, False, False, True]


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("alphas", [{"mixup_alpha": 0.8}, {"cutmix_alpha": 0.8}])
def test_a_clip_without_a_partner_stays_itself(size, alphas):
    rows = [row | {"pixel_values_videos": torch.randn(2, 3, 8, 10)} for row in batch(size)]
    mixed = ClipMixing({"labels": CLASSES}, **alphas)(rows, generator())[size // 2]
    torch.testing.assert_close(mixed["pixel_values_videos"], rows[size // 2]["pixel_values_videos"], atol=0, rtol=0)
    assert mixed["labels"].tolist() == torch.eye(CLASSES)[size // 2].tolist()


def test_rows_are_not_changed_and_draws_are_the_generators():
    rows, copies = batch(sound=True), batch(sound=True)
    mixing = ClipMixing({"labels": CLASSES}, 0.1, mixup_alpha=0.8, cutmix_alpha=1.0, sound_mixing="cutmix")
    before = torch.get_rng_state()
    once, again, other = (mixing(rows, generator(seed)) for seed in (7, 7, 8))
    assert torch.equal(before, torch.get_rng_state())
    for row, copy in zip(rows, copies, strict=True):
        assert all(torch.equal(row[name], copy[name]) for name in copy)
    assert all(torch.equal(a[name], b[name]) for a, b in zip(once, again, strict=True) for name in a)
    assert any(not torch.equal(a["labels"], b["labels"]) for a, b in zip(once, other, strict=True))


def test_how_often_and_how_much():
    mixing = ClipMixing({"labels": CLASSES}, mixup_alpha=0.4, mixup_probability=0.5)
    draws = generator()
    values = torch.stack([mixing(batch(2), draws)[0]["labels"][0] for _ in range(2000)])
    mixed = values[values < 1]
    assert 0.45 < len(mixed) / len(values) < 0.55
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))
    assert abs(mixed.mean() - 0.5) < 0.04
    assert abs(mixed.var() - 1 / (4 * 1.8)) < 0.02


@pytest.mark.parametrize("name", recipes())
def test_recipes(name):
    recipe = get_recipe(name)
    mixing = ClipMixing.from_recipe(recipe, {"labels": CLASSES})
    if not recipe.mixup_alpha and not recipe.label_smoothing:
        assert mixing is None
    else:
        assert mixing.label_smoothing == recipe.label_smoothing
        assert (mixing.mixup_alpha, mixing.mixup_probability) == (recipe.mixup_alpha, recipe.mixup_probability)
        assert (mixing.cutmix_alpha, mixing.sound_mixing) == (recipe.cutmix_alpha, recipe.sound_mixing)


@pytest.mark.parametrize("place", [0, 2, -1])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.tensor(-100)}, "class from 0 to 4, got -100"),
        ({"labels": torch.tensor(CLASSES)}, "class from 0 to 4, got 5"),
        ({"labels": torch.tensor(0.5)}, "class from 0 to 4, got 0.5"),
        ({"labels": torch.ones(CLASSES)}, "must be alike|of shape"),
        ({"pixel_values_videos": torch.zeros(1, 3, 8, 10)}, "must be alike"),
        ({"input_values": torch.zeros(12, 6)}, "must be alike"),
    ],
)
def test_bad_rows(change, message, place):
    rows = batch()
    rows[place] = rows[place] | change
    with pytest.raises(ValueError, match=message):
        ClipMixing({"labels": CLASSES}, mixup_alpha=0.8)(rows, generator())


def test_bad_batches_and_arguments():
    mixing = ClipMixing({"labels": CLASSES}, mixup_alpha=0.8)
    with pytest.raises(ValueError, match="got none"):
        mixing([], generator())
    with pytest.raises(ValueError, match="must have pixel_values_videos"):
        mixing([{"labels": torch.tensor(0)}], generator())
    with pytest.raises(ValueError, match="must have labels"):
        mixing([{"pixel_values_videos": torch.zeros(1, 3, 8, 8)}], generator())
    for arguments, message in (
        ({"num_classes": {}}, "num_classes"),
        ({"num_classes": {"labels": 2}, "label_smoothing": 1.5}, "label_smoothing"),
        ({"num_classes": {"labels": 2}, "mixup_alpha": -1}, "mixup_alpha"),
        ({"num_classes": {"labels": 2}, "sound_mixing": "add"}, "'mixup' or 'cutmix', got 'add'"),
    ):
        with pytest.raises(ValueError, match=message):
            ClipMixing(**arguments)
