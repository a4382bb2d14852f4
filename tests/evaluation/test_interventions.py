"""What is taken away is gone, all else stays; and what a model answers then depends on nothing that was taken."""

import pytest
import tiny_ca2st
import tiny_xvit
import torch

from holovid.data.dataset import seed_of
from holovid.evaluation.interventions import (
    apply_interventions,
    check_interventions,
    hold_still,
    intervened,
    mute,
    shuffle_frames,
    without_expert,
)

CHANNELS, PIXELS = 3, (4, 5)


def numbered(*shape: int) -> dict[str, torch.Tensor]:
    """Clips whose every frame is its own number."""
    numbers = torch.arange(float(torch.Size(shape).numel())).view(*shape, 1, 1, 1)
    return {"pixel_values_videos": numbers.expand(*shape, CHANNELS, *PIXELS), "frame_times": torch.rand(shape)}


@pytest.mark.parametrize("shape", [(3, 7), (3, 2, 7)])
def test_shuffled_views_hold_the_same_frames(shape):
    inputs = numbered(*shape)
    shuffled = shuffle_frames(inputs, torch.Generator().manual_seed(0))
    before, after = (x["pixel_values_videos"][..., 0, 0, 0] for x in (inputs, shuffled))
    assert torch.equal(after.sort(-1).values, before)
    assert not (after == before).all(-1).any(), "no view of seven frames is as it was"
    orders = (after - before[..., :1]).flatten(0, -2).tolist()
    assert len({tuple(order) for order in orders}) == len(orders), "each has its own order"
    assert torch.equal(inputs["frame_times"], shuffled["frame_times"])
    assert torch.equal(shuffled["pixel_values_videos"][..., 0, 0, 0], shuffled["pixel_values_videos"][..., 2, 3, 4])


def test_a_clips_own_generator_shuffles_it_alike_in_any_batch():
    inputs = numbered(4, 2, 6)

    def own(clips):
        return [torch.Generator().manual_seed(clip) for clip in clips]

    whole = shuffle_frames(inputs, own(range(4)))["pixel_values_videos"]
    for clip in range(4):
        alone = {name: value[clip : clip + 1] for name, value in inputs.items()}
        assert torch.equal(shuffle_frames(alone, own([clip]))["pixel_values_videos"][0], whole[clip])
    with pytest.raises(ValueError, match="4 clips need as many generators, got 3"):
        shuffle_frames(inputs, own(range(3)))


@pytest.mark.parametrize("shape", [(3, 7), (3, 2, 7), (1, 1), (2, 2)])
def test_still_is_the_middle_frame(shape):
    inputs = numbered(*shape)
    still = hold_still(inputs)["pixel_values_videos"]
    assert still.shape == inputs["pixel_values_videos"].shape
    middle = inputs["pixel_values_videos"][..., shape[-1] // 2, :, :, :]
    for frame in still.unbind(-4):
        assert torch.equal(frame, middle)


def test_muted_is_a_silent_clip():
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CAVA)
    inputs = tiny_ca2st.clips(model.config)
    muted = mute(inputs)
    assert inputs["audio_mask"].all() and not muted["audio_mask"].any()
    with torch.no_grad():
        told = model(**inputs | {"audio_mask": torch.zeros(2, dtype=torch.bool)}).logits
        torch.testing.assert_close(model(**muted).logits, told)
        assert not torch.allclose(model(**inputs).logits, told, atol=1e-3)
    views = {name: value[:, None].expand(-1, 3, *value.shape[1:]) for name, value in inputs.items()}
    assert mute(views)["audio_mask"].shape == (2, 3)
    with pytest.raises(ValueError, match="does not use audio"):
        mute(numbered(2, 3))


@pytest.mark.parametrize("make", [tiny_ca2st.tiny, tiny_ca2st.tiny_actions])
def test_without_sound(make):
    model = make(experts=tiny_ca2st.CA2ST)
    inputs = tiny_ca2st.clips(model.config)
    outputs = lambda **changes: model(**inputs | changes).to_tuple()  # noqa: E731
    with torch.no_grad():
        whole, silent = outputs(), outputs(audio_mask=torch.zeros(2, dtype=torch.bool))
        with without_expert(model, "audio"):
            deaf = outputs()
            positional = model(*inputs.values()).to_tuple()
        again = outputs()
    for index in range(len(whole)):
        torch.testing.assert_close(deaf[index], silent[index])
        torch.testing.assert_close(positional[index], silent[index])
        torch.testing.assert_close(again[index], whole[index], rtol=0, atol=0)
        assert not torch.allclose(deaf[index], whole[index], atol=1e-3)


@pytest.mark.parametrize("expert", ["space", "time"])
def test_an_expert_that_sees_grey(expert):
    """With the other experts blind too, clips are all the same; with this one alone, it is the other's grey."""
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CAST)
    inputs = tiny_ca2st.clips(model.config)
    other = {"space": "time", "time": "space"}[expert]
    with torch.no_grad():
        whole = model(**inputs).logits
        with without_expert(model, expert):
            blind = model(**inputs).logits
            with without_expert(model, other):
                nothing = model(**inputs).logits
        grey = model(pixel_values_videos=torch.zeros_like(inputs["pixel_values_videos"])).logits
        again = model(**inputs).logits
    torch.testing.assert_close(nothing, grey)
    torch.testing.assert_close(again, whole, rtol=0, atol=0)
    for one, two in ((whole, blind), (blind, grey), (blind[:1], blind[1:])):
        assert not torch.allclose(one, two, atol=1e-3)


def test_an_error_inside_puts_the_expert_back():
    model = tiny_ca2st.tiny()
    with pytest.raises(RuntimeError), without_expert(model, "time"):
        raise RuntimeError
    assert not model.base_model.embeddings["time"]._forward_pre_hooks and not model._forward_pre_hooks


@pytest.mark.parametrize(
    ("model", "expert", "message"),
    [
        (lambda: tiny_ca2st.tiny(experts=tiny_ca2st.CAST), "audio", "no expert 'audio'; it has space, time"),
        (tiny_ca2st.tiny, "sound", "no expert 'sound'; it has space, time"),
        (tiny_xvit.tiny, "time", "no expert 'time'; xvit has no experts"),
    ],
)
def test_no_such_expert(model, expert, message):
    with pytest.raises(ValueError, match=message), without_expert(model(), expert):
        pass


def test_interventions_by_name_are_the_functions():
    inputs = tiny_ca2st.clips(tiny_ca2st.tiny_config(experts=tiny_ca2st.CA2ST))
    clips = [7, 3]
    own = [torch.Generator().manual_seed(seed_of(5, clip)) for clip in clips]
    expected = {
        (): inputs,
        ("hold_still",): hold_still(inputs),
        ("shuffle_frames",): shuffle_frames(inputs, own),
        ("mute",): mute(inputs),
        ("mute", "hold_still"): mute(hold_still(inputs)),
        ("without_time",): inputs,
    }
    for names, values in expected.items():
        found = apply_interventions(names, inputs, clips, seed=5)
        assert found.keys() == values.keys()
        for name, value in values.items():
            assert torch.equal(found[name], value), (names, name)
    drawn = [
        apply_interventions(["shuffle_frames"], inputs, clips, seed=seed)["pixel_values_videos"] for seed in (5, 5, 6)
    ]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@torch.no_grad()
def test_experts_are_taken_away_by_name():
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST)
    inputs = tiny_ca2st.clips(model.config)
    whole = model(**inputs).logits
    with without_expert(model, "time"):
        expected = model(**inputs).logits
    with intervened(model, ["hold_still", "without_time"]):
        assert torch.equal(model(**inputs).logits, expected)
    with intervened(model, ["hold_still", "mute"]):
        assert torch.equal(model(**inputs).logits, whole)
    assert not torch.allclose(expected, whole, atol=1e-3)


def test_names_of_interventions_are_checked():
    hearing, seeing = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST), tiny_xvit.tiny()
    check_interventions(["hold_still", "shuffle_frames", "mute", "without_space"], hearing)
    check_interventions(["hold_still", "shuffle_frames"], seeing)
    for model, name, sentence in (
        (hearing, "hold_stil", "there is no intervention 'hold_stil'; did you mean 'hold_still'"),
        (hearing, "zzz", "there is no intervention 'zzz'; there are hold_still, shuffle_frames, mute"),
        (seeing, "mute", "there is no sound to mute"),
        (seeing, "without_audio", "this model has no expert 'audio'; xvit has no experts"),
        (hearing, "without_smell", "this model has no expert 'smell'; it has space, time, audio"),
    ):
        with pytest.raises(ValueError, match=sentence):
            check_interventions([name], model)
