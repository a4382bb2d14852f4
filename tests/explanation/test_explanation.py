"""What every method of explaining returns."""

import pytest
import torch

from holovid.explanation import Explanation


def an_explanation(**changed):
    values = dict(
        target=torch.tensor([2, 0]),
        score=torch.tensor([0.75, 0.5]),
        where=torch.rand(2, 4, 3, 5),
        when_visual=torch.rand(2, 4),
        when_audio=torch.rand(2, 6),
        heard=torch.tensor([0.25, 0.5]),
        frame_times=torch.arange(4.0).expand(2, 4),
        audio_times=torch.arange(6.0).expand(2, 6),
        method="relevance",
    )
    return Explanation(**values | changed)


def test_one_clip_of_several():
    whole = an_explanation()
    second = whole[1]
    assert len(whole) == 2 and len(second) == 1 and len(list(whole)) == 2
    assert second.where.shape == (1, 4, 3, 5) and second.method == "relevance"
    assert torch.equal(second.when_audio, whole.when_audio[1:]) and torch.equal(whole[-1].where, second.where)
    assert len(whole[0:2]) == 2
    with pytest.raises(IndexError):
        whole[2]


def test_what_a_method_cannot_see_stays_none():
    mute = an_explanation(when_audio=None, audio_times=None, heard=None)
    assert mute[0].when_audio is None and mute.cpu().heard is None
    deaf = an_explanation(where=None, when_visual=None, frame_times=None)
    assert deaf[1].when_audio.shape == (1, 6) and deaf.to("cpu").where is None


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"method": "guess"}, "method must be one of intrinsic, relevance"),
        ({"target": torch.tensor([[1]])}, r"target must be int64 \(clips,\)"),
        ({"target": torch.tensor([1.0, 2.0])}, "target must be int64"),
        ({"score": torch.rand(3)}, r"score of 2 clips must be \(2,\), got \(3,\)"),
        ({"when_visual": torch.rand(2, 5)}, "one entry a frame in all maps"),
        ({"audio_times": torch.rand(2, 5)}, "one entry a sound step in all maps"),
        ({"when_audio": torch.rand(2)}, "one entry a sound step"),
        ({"where": torch.rand(2, 4, 15)}, r"where must be \(2, 4, rows, columns\)"),
        ({"where": torch.rand(3, 4, 3, 5)}, r"where must be \(2, 4, rows, columns\)"),
        ({"frame_times": torch.rand(3, 4)}, r"frame_times of 2 clips must be \(2, 4\)"),
    ],
)
def test_shapes_that_do_not_fit(changed, message):
    with pytest.raises(ValueError, match=message):
        an_explanation(**changed)
