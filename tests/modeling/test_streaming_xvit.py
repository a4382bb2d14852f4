"""XViTStream: whatever the chunks, its logits are those of the model run offline on the same frames."""

import gc
import importlib
import random
import re

import pytest
import torch
from places import EXAMPLES
from streams import offline, tiny
from tiny_xvit import clips

from holovid import XViTForVideoClassification, XViTStream

# frames of the table are a number that divides nothing, so that a wrong frame number cannot go unnoticed
PAST = {
    "window of one": {},
    "window of two": {"mix_window": 2, "mix_divisor": 3},
    "slices per head": {"mix_per_head": True, "mix_divisor": 4},
    "window of two, per head": {"mix_window": 2, "mix_per_head": True, "mix_divisor": 3},
    "mixing in one layer": {"mix_layers": [1]},
    "no mixing": {"mix_layers": []},
    "mean pooling": {"pooling": "mean"},
    "deeper head": {"temporal_num_hidden_layers": 2, "pooler_output_size": 28},
    "groups": {"mix_group": 4, "mix_window": 2},
    "window longer than groups": {"mix_group": 2, "mix_window": 3, "mix_divisor": 2},
    "groups of one frame": {"mix_group": 1},
    "oblong": {"image_size": (16, 24)},
}
# the fields of a configuration; frames of a group that can be computed by itself
GROUPS = {
    "whole clip": ({"temporal_embedding_length": 4}, 6),
    "groups": ({"mix_group": 3, "temporal_embedding_length": 3}, 3),
    "groups of two tables": ({"mix_group": 2, "temporal_embedding_length": 1, "mix_window": 2, "mix_divisor": 3}, 2),
    "slices per head, mean": (
        {"mix_group": 3, "temporal_embedding_length": 1, "mix_per_head": True, "pooling": "mean"},
        3,
    ),
    "one group, however long the table": ({"mix_group": 6, "temporal_embedding_length": 4}, 6),
    "no mixing": ({"mix_layers": [], "temporal_embedding_length": 2}, 2),
    "no mixing, one place": ({"mix_layers": [], "temporal_embedding_length": 1}, 1),
    "no mixing, table that does not fit": ({"mix_layers": [], "temporal_embedding_length": 4}, 6),
    "no mixing, but groups": ({"mix_layers": [], "mix_group": 3, "temporal_embedding_length": 2}, 2),
    "summary token": ({"num_summary_tokens": 2}, 6),
    "summary token, no mixing": ({"num_summary_tokens": 1, "mix_layers": [], "mix_group": 3}, 6),
}


def past(**overrides) -> XViTForVideoClassification:
    return tiny(**{"mix_direction": "past", "temporal_embedding_length": 5} | overrides)


@pytest.mark.parametrize(
    ("mixing", "step"),
    [
        ({"mix_direction": "past"}, 1),
        (GROUPS["groups"][0], 3),
        (GROUPS["whole clip"][0], 6),
        (PAST["groups"] | {"mix_direction": "past"}, 1),
    ],
)
def test_frames_that_are_taken_together_are_told_of_one_by_one(mixing, step):
    model = tiny(**mixing)
    frames = torch.randn(2, 26, 3, 16, 16)
    single, together = XViTStream(model), XViTStream(model)
    want = [output for frame in frames.split(1, dim=1) if (output := single(frame)).frames_seen[0] % step == 0]
    got = [output for piece in frames.split([1, 5, 6, 6, 4, 2, 2], dim=1) for output in together.after_each(piece)]
    assert [output.frames_seen for output in got] == [output.frames_seen for output in want] and len(
        want
    ) == 26 // step
    for one, other in zip(got, want, strict=True):
        assert one.frames == other.frames
        if one.logits is not None:
            torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-5)
    assert together.frames_seen == [26, 26]
    if step > 1:
        with pytest.raises(ValueError, match="at most 6 frames at once from this model, got 7"):
            together.after_each(frames[:, :7])
        assert together.frames_seen == [26, 26]


def chunks(frames: torch.Tensor, seed: int = 0, longest: int = 7):
    """(the next frames, all frames up to these), again and again, in chunks of random length."""
    chance, stop = random.Random(seed), 0
    while stop < frames.shape[1]:
        start, stop = stop, min(stop + chance.randint(1, longest), frames.shape[1])
        yield frames[:, start:stop], frames[:, :stop]


def assert_equal(logits: torch.Tensor, expected: torch.Tensor):
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", PAST)
def test_past_frames_equal_the_whole_stream(variant):
    model = past(**PAST[variant])
    frames = clips(model.config, 3, 19)
    stream = XViTStream(model)
    for piece, so_far in chunks(frames):
        output = stream(piece)
        seen = so_far.shape[1]
        assert_equal(output.logits, offline(model, so_far))
        assert output.frames == [range(max(0, seen - 6), seen)] * 3
        assert output.frames_seen == [seen] * 3
    assert output.logits.std(dim=0).mean() > 0.1  # streams differ


@pytest.mark.parametrize("variant", ["window of two", "groups"])
def test_chunks_equal_single_frames(variant):
    model = past(**PAST[variant])
    frames = clips(model.config, 2, 17)
    one_by_one, at_once = XViTStream(model), XViTStream(model)
    for piece, so_far in chunks(frames, seed=1):
        for frame in piece.split(1, dim=1):
            expected = one_by_one(frame)
            assert_equal(expected.logits, offline(model, so_far[:, : expected.frames_seen[0]]))
        assert_equal(at_once(piece).logits, expected.logits)


def test_the_past_reaches_beyond_the_last_frames():
    """What is compared above would not be equal if streams forgot too much, or counted frames anew."""
    model = past(mix_window=2, mix_divisor=3)
    frames = clips(model.config, 1, 17)
    stream = XViTStream(model)
    logits = stream(frames).logits
    assert (logits - model(frames[:, -6:]).logits).abs().max() > 0.05
    begun_anew = XViTStream(model)(frames[:, -6:]).logits
    assert_equal(begun_anew, model(frames[:, -6:]).logits)
    # 17 = 2 (mod 5): the same frames at other numbers
    shifted = XViTStream(model)
    shifted.frames_seen, shifted.shape = [1], (1, 3, 16, 16)
    assert (shifted(frames).logits - logits).abs().max() > 0.05


@pytest.mark.parametrize("num_frames", [1, 4, 9])
def test_logits_are_about_as_many_frames_as_asked_for(num_frames):
    model = past()
    frames = clips(model.config, 2, 13)
    stream = XViTStream(model, num_frames)
    for piece, so_far in chunks(frames):
        assert_equal(stream(piece).logits, offline(model, so_far, num_frames))


@pytest.mark.parametrize("longest", [1, 7, 20])
@pytest.mark.parametrize("variant", GROUPS)
def test_groups_equal_the_model_on_the_same_frames(variant, longest):
    overrides, step = GROUPS[variant]
    model = tiny(**overrides)
    frames = clips(model.config, 3, 40)
    stream = XViTStream(model)
    assert stream.step == step
    for piece, so_far in chunks(frames, longest=longest):
        output = stream(piece)
        seen = so_far.shape[1]
        assert output.frames_seen == [seen] * 3
        stop = seen - seen % step
        if stop < 6:
            assert output.logits is None and output.frames is None
        else:
            assert output.frames == [range(stop - 6, stop)] * 3
            with torch.no_grad():
                assert_equal(output.logits, model(frames[:, stop - 6 : stop]).logits)


@pytest.mark.parametrize(
    "model", [lambda: past(), lambda: tiny(mix_group=2, temporal_embedding_length=2)], ids=["past", "groups"]
)
def test_no_frame_is_computed_twice(model):
    model = model()
    computed = []
    model.xvit.layers[0].register_forward_hook(lambda module, args, output: computed.append(output.shape[:2].numel()))
    stream = XViTStream(model)
    for frame in clips(model.config, 2, 24).split(1, dim=1):
        stream(frame)
    assert sum(computed) == 2 * 24
    # those of a long chunk that no logits are about are not computed at all, where nothing depends on them
    computed.clear()
    stream(clips(model.config, 2, 24))
    assert sum(computed) == 2 * (24 if stream.step == 1 else 6)


def test_one_stream_begins_anew():
    model = past(mix_group=4, mix_window=2, mix_divisor=3)
    frames, others = clips(model.config, 3, 11), clips(model.config, 1, 8)
    stream = XViTStream(model)
    stream(frames)
    stream.reset([1])
    for piece, so_far in chunks(others, seed=3, longest=3):
        together = torch.cat((piece, piece, piece))
        output = stream(together)
        seen = so_far.shape[1]
        assert output.frames_seen == [11 + seen, seen, 11 + seen]
        assert output.frames[1] == range(max(0, seen - 6), seen)
        assert_equal(output.logits[1:2], offline(model, so_far))
        continued = torch.cat((frames, so_far.expand(3, -1, -1, -1, -1)), dim=1)
        assert_equal(output.logits[::2], offline(model, continued)[::2])
    with pytest.raises(ValueError, match=r"no streams \[3\]; their numbers are 0 to 2"):
        stream.reset([3])


@pytest.mark.parametrize("overrides", [{"mix_direction": "past"}, {"mix_group": 3, "temporal_embedding_length": 3}])
def test_all_streams_begin_anew(overrides):
    model = tiny(**overrides)
    frames = clips(model.config, 2, 13)
    stream = XViTStream(model)
    stream(frames)
    stream.reset()
    assert stream.num_bytes == 0
    assert_equal(stream(frames[:1, :6]).logits, model(frames[:1, :6]).logits)  # and there may be fewer of them


@pytest.mark.parametrize("overrides", [{"mix_direction": "past"}, {"mix_group": 3, "temporal_embedding_length": 3}])
def test_memory_stays_as_it_is_for_ten_thousand_frames(overrides):
    def living_tensors():
        gc.collect()
        return [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]

    of_other_tests = living_tensors()  # some have no storage of their own
    others = set(map(id, of_other_tests))
    model = tiny(num_hidden_layers=1, **overrides)
    stream = XViTStream(model)
    frames = clips(model.config, 1, 1)

    def feed(count):
        for piece, _ in chunks(frames.expand(-1, count, -1, -1, -1), longest=60):
            stream(piece)
        while stream.frames_seen[0] % 6:  # to a place where as many frames wait as at the one compared with
            stream(frames)
        alive = (tensor for tensor in living_tensors() if id(tensor) not in others)
        return sum(tensor.untyped_storage().nbytes() for tensor in alive), stream.num_bytes

    before = feed(600)
    assert before[1] > 0
    assert feed(9400) == before
    assert stream.frames_seen[0] >= 10_000


@pytest.mark.parametrize("overrides", [{"mix_direction": "past"}, {"mix_group": 3, "temporal_embedding_length": 3}])
def test_bfloat16(overrides):
    model = tiny(**overrides).bfloat16()
    frames = clips(model.config, 2, 12)
    stream = XViTStream(model)
    for frame in frames.split(1, dim=1):
        output = stream(frame)
    assert output.logits.dtype == torch.bfloat16
    torch.testing.assert_close(
        output.logits, offline(model, frames) if stream.step == 1 else model(frames[:, 6:]).logits
    )


def test_autocast():
    model = past()
    frames = clips(model.config, 2, 9)
    stream = XViTStream(model)
    with torch.autocast("cpu", torch.bfloat16):
        for frame in frames.split(1, dim=1):
            logits = stream(frame).logits
    torch.testing.assert_close(logits.float(), offline(model, frames), rtol=0, atol=0.1)


def test_grad_modes_may_change_midway():
    model = past(mix_window=2, mix_divisor=3)
    frames = clips(model.config, 2, 9)
    stream = XViTStream(model)
    with torch.inference_mode():
        stream(frames[:, :3])
    stream.reset([0])
    stream(frames[:, 3:5])
    with torch.no_grad():
        logits = stream(frames[:, 5:]).logits
    assert not logits.requires_grad
    assert_equal(logits[1:], offline(model, frames)[1:])


def test_other_frame_sizes():
    model = past()
    frames = torch.randn(2, 9, 3, 24, 32)
    stream = XViTStream(model)
    with pytest.raises(ValueError, match="frames of 24x32 pixels do not match"):
        stream(frames)
    for piece, _ in chunks(frames):
        logits = stream(piece, interpolate_pos_encoding=True).logits
    features = model.xvit(frames, interpolate_pos_encoding=True).last_hidden_state[:, -6:, 0]
    assert_equal(logits, model.classifier(model.xvit.pooler(features)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 3, 16, 24), r"so far were \(2, 3, 16, 16\).*these are \(2, 3, 16, 24\); call reset\(\)"),
        ((3, 3, 3, 16, 16), r"these are \(3, 3, 16, 16\)"),
        ((2, 0, 3, 16, 16), "at least one frame"),
        ((2, 3, 1, 16, 16), r"must be \(streams, at least one frame, 3, height, width\), got \(2, 3, 1, 16, 16\)"),
        ((2, 3, 16, 16), "must be"),
    ],
)
def test_frames_that_do_not_fit_leave_the_stream_as_it_was(shape, message):
    model = past()
    frames = clips(model.config, 2, 9)
    stream = XViTStream(model)
    stream(frames[:, :4])
    with pytest.raises(ValueError, match=message):
        stream(torch.zeros(shape), interpolate_pos_encoding=True)
    assert_equal(stream(frames[:, 4:]).logits, offline(model, frames))


def test_a_chunk_that_was_interrupted_is_not_half_remembered():
    model = past()
    frames = clips(model.config, 2, 6)
    stream = XViTStream(model)
    stream(frames)

    def interrupt(*args):
        raise KeyboardInterrupt

    hook = model.xvit.layers[1].register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        stream(frames)
    hook.remove()
    assert_equal(stream(frames).logits, model(frames).logits)


@pytest.mark.parametrize(
    ("overrides", "num_frames", "message"),
    [
        ({"mix_group": 3}, 6, "mix_group 3 is not a multiple of temporal_embedding_length 6.*pass num_frames=3"),
        ({"mix_group": 3, "temporal_embedding_length": 2}, 6, "multiple of temporal_embedding_length 2"),
        ({"mix_group": 3}, 7, "num_frames must be a multiple of mix_group 3, got 7"),
        ({"mix_layers": [], "mix_group": 3}, 7, "num_frames must be a multiple of mix_group 3, got 7"),
        (
            {"mix_group": 3, "temporal_embedding_length": 3, "num_summary_tokens": 1},
            6,
            "all frames of a clip attend to its summary tokens",
        ),
        ({}, 0, "num_frames must be at least 1, got 0"),
    ],
)
def test_windows_that_would_not_be_exact_are_refused(overrides, num_frames, message):
    with pytest.raises(ValueError, match=message):
        XViTStream(tiny(**overrides), num_frames)


@pytest.mark.parametrize("overrides", [{"mix_group": 3}, {"mix_group": 3, "num_summary_tokens": 1}])
def test_what_a_refusal_advises_works(overrides):
    model = tiny(**overrides)
    frames = clips(model.config, 2, 6)
    assert_equal(XViTStream(model, 3)(frames).logits, model(frames[:, 3:]).logits)


def test_models_that_are_refused():
    with pytest.raises(ValueError, match="training mode"):
        XViTStream(past().train())
    with pytest.raises(ValueError, match=r"XViTForVideoClassification, got holovid.*XViTModel"):
        XViTStream(past().xvit)
    stream = XViTStream(tiny())
    with pytest.raises(ValueError, match=r"call reset\(\) for all"):
        stream.reset([0])


@pytest.mark.slow
def test_causality_in_miniature(monkeypatch, capsys):
    monkeypatch.syspath_prepend(EXAMPLES)
    causality = importlib.import_module("causality")
    results = causality.main(["--seeds", "3", "--train", "32", "--val", "16", "--epochs", "1", "2"])
    assert results[3][causality.PAST] == results[3][causality.STREAMED]
    assert results[3][causality.STREAMED][-1] == results[3][causality.AFTER][-1]
    assert len(results[3][causality.BOTH]) == 2 and len(results[3][causality.AFTER]) == 8
    printed = capsys.readouterr().out
    assert "| XViT | 1 epochs | 2 epochs |" in printed
    assert float(re.search(r"differ by at most (\S+)\.\n", printed)[1]) < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("overrides", [{"mix_direction": "past"}, {"mix_group": 3, "temporal_embedding_length": 3}])
def test_on_a_gpu(overrides):
    model = tiny(**overrides)
    frames = clips(model.config, 2, 12)
    expected, stream = XViTStream(model)(frames).logits, XViTStream(model.cuda())
    for frame in frames.split(1, dim=1):  # on the CPU, as cameras give them
        logits = stream(frame).logits
    torch.testing.assert_close(logits.cpu(), expected, rtol=0, atol=1e-4)
