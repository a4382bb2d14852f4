"""Clips that are also seen mirrored: what a model says of both is averaged."""

import pyarrow.parquet
import pytest
import tiny_avt
import tiny_ca2st
import tiny_xvit
import torch

from holovid import HolovidProcessor
from holovid.data import load_clips
from holovid.data.synthetic import ClipSet, render_clips
from holovid.evaluation import Protocol, evaluate_clips
from holovid.evaluation.evaluate import with_mirror_images
from holovid.evaluation.protocol import recipe_protocol
from holovid.publishing.card_results import views
from holovid.recipes import get_recipe, recipes


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return load_clips(render_clips(folder, ClipSet(train=8, val=4, size=32, seconds=1), progress=False))["validation"]


@pytest.fixture(scope="module")
def model(rows):
    """Its logits depend on left and right: random weights know nothing of mirrors."""
    torch.manual_seed(0)
    return tiny_xvit.tiny(num_labels=8, id2label=dict(enumerate(rows.features["label"].names)))


@pytest.mark.parametrize("ensemble", ["logits", "probabilities"])
@pytest.mark.parametrize("crops", [1, 3])
def test_averaged_as_by_hand(model, rows, tmp_path, ensemble, crops):
    processor = HolovidProcessor.for_model(model, size={"shortest_edge": 20})
    protocol = Protocol(crops=crops, flips=True, ensemble=ensemble)
    results = evaluate_clips(
        model, processor, rows, protocol=protocol, batch_size=4, output=tmp_path, scores=True, progress=False
    )
    assert results["protocol"]["flips"] is True and protocol.passes == 2 * crops
    assert views(results["protocol"]) == f"1 x {crops} x 2 flips"
    found = pyarrow.parquet.read_table(tmp_path / "predictions.parquet").to_pylist()
    for row, line in zip(rows, found, strict=True):
        clip = processor(row["video"], return_tensors="pt", num_crops=crops)["pixel_values_videos"].flatten(0, -5)
        with torch.no_grad():
            there, mirrored = model(clip).logits, model(clip.flip(-1)).logits
        assert (there - mirrored).abs().max() > 1e-3
        logits = torch.cat((there, mirrored))
        mean = logits.mean(0).log_softmax(-1) if ensemble == "logits" else logits.softmax(-1).mean(0).log()
        torch.testing.assert_close(torch.tensor(line["scores"]), mean, rtol=1e-4, atol=1e-4)


def test_sound_is_the_same_on_both_sides():
    config = tiny_ca2st.tiny_config(experts=tiny_ca2st.CA2ST)
    inputs = {
        "pixel_values_videos": torch.randn(2, 3, config.num_frames, 3, 8, 8),
        "input_values": torch.randn(2, 3, config.audio_frames, config.num_mel_bins),
        "audio_mask": torch.rand(2, 3) > 0.5,
    }
    both = with_mirror_images(inputs)
    for name, value in inputs.items():
        assert torch.equal(both[name][:, :3], value)
        assert torch.equal(both[name][:, 3:], value.flip(-1) if name == "pixel_values_videos" else value)


def test_recipes_of_avt_flip_and_no_others():
    flipping = {name for name, recipe in recipes().items() if recipe.evaluation_flips}
    assert flipping == {name for name, recipe in recipes().items() if recipe.family == "avt"}
    protocol = recipe_protocol(get_recipe("avt-ek100"), tiny_avt.tiny_config())
    assert (protocol.views, protocol.crops, protocol.flips, protocol.passes) == (1, 3, True, 6)
