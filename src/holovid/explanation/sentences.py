"""An explanation of a clip in one sentence: which seconds matter, and whether video or audio matters more.

Alphabet: T moments, A audio steps.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from holovid.explanation.explanation import Explanation

HALF = 0.5  # a peak includes neighbours at least half as high; audio matters more if it has over half of the relevance
NOTHING = 0.01  # smaller falls of a probability count as none
SHORT = 0.15  # seconds; shorter spans are given in hundredths
EITHER = "either"  # the sense of a prediction for which video or audio alone is enough
WORDS = {"seen": "the video", "heard": "the audio"}


@dataclass(frozen=True)
class Reason:
    """The reason for a prediction.

    Args:
        start, end: seconds.
        sense: "seen" or "heard", whichever matters more; "either" if each alone is enough; "" if one of them is
            unknown.
        deaf_method: the method, if the model uses audio and the method cannot explain audio; else "".

    >>> Reason(3.2, 4.1, "heard").sentence
    'because of seconds 3.2 to 4.1, mostly the audio'
    >>> Reason(0.5, 0.6, deaf_method="gradients").sentence
    'because of seconds 0.50 to 0.60; the method "gradients" does not cover the audio'
    """

    start: float
    end: float
    sense: str = ""
    deaf_method: str = ""

    @property
    def sentence(self) -> str:
        digits = 1 if self.end - self.start >= SHORT else 2
        told = f"because of seconds {self.start:.{digits}f} to {self.end:.{digits}f}"
        if self.sense == EITHER:
            return f"{told}; video or audio alone is enough"
        if self.sense:
            return f"{told}, mostly {WORDS[self.sense]}"
        if self.deaf_method:
            return f'{told}; the method "{self.deaf_method}" does not cover the audio'
        return told


def reason_of(why: Explanation, seconds: float, hears: bool, falls: tuple[float, float] | None = None) -> Reason:
    """The reason for the prediction for one clip.

    Args:
        why: explanation of one clip, with times.
        seconds: length of the clip.
        hears: whether the model uses audio.
        falls: how much the probability falls without the video, and without the audio; the larger fall matters more.
            Default: the explanation's share of audio decides, which is less certain for experts that exchange
            information.

    Raises `ValueError` for explanations of several clips, and for those without times.
    """
    if len(why) != 1:
        raise ValueError(f"a sentence is about one clip, got an explanation of {len(why)} clips; give one, as why[0]")
    knows_sound = why.when_audio is not None and why.heard is not None
    sense = ("heard" if why.heard[0] > HALF else "seen") if knows_sound else ""  # type: ignore[index]
    if knows_sound and falls is not None:
        sense = EITHER if max(falls) < NOTHING else "seen" if falls[0] > falls[1] else "heard"
    heard = sense == "heard"
    when, times = (why.when_audio, why.audio_times) if heard else (why.when_visual, why.frame_times)
    if when is None or times is None:
        raise ValueError("an explanation in words needs times: give frame_times among the inputs")
    start, end = span_of(when[0], times[0], seconds)
    if not knows_sound:
        return Reason(start, end, deaf_method=why.method if hears else "")
    return Reason(start, end, sense)


def span_of(when: Tensor, times: Tensor, seconds: float) -> tuple[float, float]:
    """Start and end of the highest moment, with its neighbours that are at least half as high, in seconds.

    Args:
        when: (T,), relevance of each moment.
        times: (T,), seconds.
        seconds: length of the clip.

    >>> import torch
    >>> span_of(torch.tensor([0.1, 0.3, 0.5, 0.1]), torch.tensor([0.0, 1.0, 2.0, 3.0]), 4.0)
    (0.5, 2.5)
    """
    when, times = by_time(when, times)
    heights = when.tolist()
    first = last = heights.index(max(heights))
    enough = HALF * heights[first]
    while first > 0 and heights[first - 1] >= enough:
        first -= 1
    while last + 1 < len(heights) and heights[last + 1] >= enough:
        last += 1
    edges = edges_of(times, seconds)
    return edges[first], edges[last + 1]


def by_time(maps: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Maps (T, ...) in the order of their times (T,), those of one time added up; and the times without repetitions.

    A short clip's frames are shown to a model several times, and by some samplers from the start again.

    >>> import torch
    >>> by_time(torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([0.0, 2.0, 1.0, 0.0]))
    (tensor([0.5000, 0.3000, 0.2000]), tensor([0., 1., 2.]))
    """
    ordered, place = times.unique(return_inverse=True)
    return maps.new_zeros(len(ordered), *maps.shape[1:]).index_add_(0, place, maps), ordered


def edges_of(times: Tensor, seconds: float) -> list[float]:
    """The T + 1 borders of the moments in seconds: halfway between neighbours, and within the clip.

    >>> import torch
    >>> edges_of(torch.tensor([0.0, 1.0, 2.0]), 2.25)
    [0.0, 0.5, 1.5, 2.25]
    """
    middles = times.tolist()
    if len(middles) == 1:
        return [0.0, max(seconds, middles[0])]
    inner = [(one + other) / 2 for one, other in pairwise(middles)]
    first = middles[0] - (middles[1] - middles[0]) / 2
    last = middles[-1] + (middles[-1] - middles[-2]) / 2
    return [max(0.0, first), *inner, max(inner[-1], min(seconds, last))]
