"""Seconds and words of explanations, by hand."""

import pytest
import torch

from holovid.explanation import Explanation
from holovid.explanation.sentences import Reason, edges_of, reason_of, span_of


@pytest.mark.parametrize(
    "when, span",
    [
        ([0.1, 0.2, 0.4, 0.2, 0.1], (0.5, 3.5)),  # half as high belongs to it
        ([0.1, 0.19, 0.4, 0.1, 0.3], (1.5, 2.5)),  # what is high elsewhere does not
        ([0.5, 0.1, 0.1, 0.1, 0.2], (0.0, 0.5)),
        ([0.1, 0.1, 0.1, 0.3, 0.4], (2.5, 4.25)),  # the clip ends before half a step is over
        ([0.2, 0.2, 0.2, 0.2, 0.2], (0.0, 4.25)),
        ([0.4, 0.1, 0.4, 0.4, 0.1], (0.0, 0.5)),  # of equal ones the first
    ],
)
def test_the_span_is_the_run_around_the_highest_moment(when, span):
    assert span_of(torch.tensor(when), torch.arange(5.0), 4.25) == pytest.approx(span)


@pytest.mark.parametrize(
    "when, times, span",
    [
        ([0.3, 0.3, 0.2, 0.2], [0.0, 0.0, 0.0, 0.0], (0.0, 0.5)),  # one frame, shown four times
        ([0.1, 0.5, 0.2, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2, 0.4], (0.1, 0.3)),  # the first one repeated
        ([0.3, 0.2, 0.2, 0.3], [0.0, 0.2, 0.4, 0.0], (0.0, 0.1)),  # from the start again
        ([0.1, 0.9], [0.4, 0.2], (0.1, 0.3)),
    ],
)
def test_frames_that_are_shown_again_are_one_moment(when, times, span):
    assert span_of(torch.tensor(when), torch.tensor(times), 0.5) == pytest.approx(span)


def test_moments_last_until_halfway_to_the_next():
    assert edges_of(torch.tensor([0.5, 1.0, 2.0]), 9.0) == [0.25, 0.75, 1.5, 2.5]
    assert edges_of(torch.tensor([0.7]), 2.0) == [0.0, 2.0]
    assert edges_of(torch.tensor([0.0, 1.0, 1.0]), 1.0) == [0.0, 0.5, 1.0, 1.0]  # a frame that is shown again


def an_explanation(**changed) -> Explanation:
    values = dict(
        target=torch.tensor([0]), score=torch.tensor([0.5]), method="relevance",
        when_visual=torch.tensor([[0.1, 0.8, 0.1]]), frame_times=torch.tensor([[0.5, 1.5, 2.5]]),
        when_audio=torch.tensor([[0.7, 0.2, 0.1, 0.0]]), audio_times=torch.tensor([[0.25, 0.75, 1.25, 1.75]]),
    )  # fmt: skip
    return Explanation(**values | changed)


def test_what_is_mostly_heard_is_told_by_the_sound():
    heard = reason_of(an_explanation(heard=torch.tensor([0.75])), 3.0, hears=True)
    assert heard == Reason(0.0, 0.5, "heard") and heard.sentence == "because of seconds 0.0 to 0.5, mostly the audio"
    seen = reason_of(an_explanation(heard=torch.tensor([0.5])), 3.0, hears=True)
    assert seen.sentence == "because of seconds 1.0 to 2.0, mostly the video"


def test_what_is_missed_more_counts_more():
    """Relevance of experts that read one another may say another thing."""
    why = an_explanation(heard=torch.tensor([0.1]))
    assert reason_of(why, 3.0, True, (0.0, 0.5)).sentence == "because of seconds 0.0 to 0.5, mostly the audio"
    assert reason_of(why, 3.0, True, (0.6, 0.5)).sentence == "because of seconds 1.0 to 2.0, mostly the video"
    told = reason_of(why, 3.0, True, (0.0, 0.001)).sentence
    assert told == "because of seconds 1.0 to 2.0; video or audio alone is enough"


def test_what_is_not_known_of_sound_is_not_told():
    mute = an_explanation(when_audio=None, audio_times=None)
    assert reason_of(mute, 3.0, hears=False).sentence == "because of seconds 1.0 to 2.0"
    told = reason_of(mute, 3.0, hears=True).sentence
    assert told == 'because of seconds 1.0 to 2.0; the method "relevance" does not cover the audio'


def test_what_has_no_words():
    with pytest.raises(ValueError, match=r"one clip, got an explanation of 2 clips; give one, as why\[0\]"):
        reason_of(Explanation(target=torch.tensor([0, 1]), score=torch.rand(2), method="occlusion"), 1.0, False)
    with pytest.raises(ValueError, match="give frame_times among the inputs"):
        reason_of(an_explanation(frame_times=None, heard=torch.tensor([0.0])), 3.0, hears=True)
