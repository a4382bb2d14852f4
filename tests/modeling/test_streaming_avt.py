"""AVTStream: whatever the chunks, its logits are those of the model run offline on the same frames."""

import random

import pytest
import torch
from tiny_avt import clips, tiny
from tiny_xvit import tiny as tiny_xvit

from holovid.modeling.streaming_avt import AVTStream


def pieces(frames: torch.Tensor, seed: int = 0):
    """(the next frames, how many there are so far), again and again."""
    chance, stop = random.Random(seed), 0
    while stop < frames.shape[1]:
        start, stop = stop, min(stop + chance.randint(1, 4), frames.shape[1])
        yield frames[:, start:stop], stop


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [None, 1, 7])
def test_equal_to_the_last_frames(num_frames):
    model = tiny()
    stream, frames = AVTStream(model, num_frames), clips(model.config, frames=23)
    window = num_frames or model.config.num_frames
    for chunk, stop in pieces(frames):
        output = stream(chunk)
        start = max(0, stop - window)
        assert output.frames == [range(start, stop)] * 2 and output.frames_seen == [stop] * 2
        torch.testing.assert_close(output.logits, model(frames[:, start:stop]).logits, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_frames_that_are_taken_together_are_told_of_one_by_one():
    model = tiny()
    single, together, frames = AVTStream(model), AVTStream(model), clips(model.config, frames=23)
    got = [output for chunk, _ in pieces(frames) for output in together.after_each(chunk)]
    for frame, output in zip(frames.split(1, dim=1), got, strict=True):
        want = single(frame)
        assert (output.frames, output.frames_seen) == (want.frames, want.frames_seen)
        torch.testing.assert_close(output.logits, want.logits, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_two_hundred_frames_one_by_one():
    """Each costs one frame of the image model and one step of the decoder."""
    model = tiny(max_position_embeddings=200)
    stream, frames = AVTStream(model, num_frames=200), clips(model.config, batch=1, frames=200)
    steps, handles = [], [
        model.avt.frames.register_forward_hook(lambda module, args, output: steps.append(output.shape[1])),
        model.avt.decoder.register_forward_hook(lambda module, args, output: steps.append(output.shape[1])),
    ]  # fmt: skip
    found = torch.stack([stream(frame).logits for frame in frames.split(1, dim=1)], dim=1)
    assert steps == [1] * 400
    for handle in handles:
        handle.remove()
    predicted = model(frames).predicted_features
    torch.testing.assert_close(found, model.classifiers["action"](predicted), rtol=1e-5, atol=1e-5)


def test_what_is_refused():
    model = tiny()
    with pytest.raises(ValueError, match="takes an AVTForActionAnticipation, got XViTForVideoClassification"):
        AVTStream(tiny_xvit())
    with pytest.raises(ValueError, match="this model takes features"):
        AVTStream(tiny(feature_size=20))
    with pytest.raises(ValueError, match="in training mode"):
        AVTStream(tiny().train())
    for wrong in (0, 33):
        with pytest.raises(ValueError, match=f"from 1 to the 32 steps of the decoder, got {wrong}"):
            AVTStream(model, wrong)
    stream = AVTStream(model)
    stream(clips(model.config))
    with pytest.raises(ValueError, match=r"are \(2, 3, 16, 24\), got \(1, 3, 16, 24\); call reset"):
        stream(clips(model.config, batch=1))
    stream.reset()
    assert stream(clips(model.config, batch=1, frames=1)).frames_seen == [1]
