"""An explanation of a clip in one sentence: because of which seconds, and whether that was seen or heard.

Alphabet: T moments, A steps of sound.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from holovid.explanation.explanation import Explanation

HALF = 0.5  # of the highest moment: as high are those that belong to it; and of all: above it, an answer is heard
NOTHING = 0.01  # a fall of a probability that is none
SHORT = 0.15  # seconds; what is shorter is told in hundredths
EITHER = "either"  # sense of an answer for which picture or sound alone is enough


@dataclass(frozen=True)
class Reason:
    """What an answer is because of.

    Args:
        start, end: seconds.
        sense: "seen" or "heard", whichever counts more; "either" if each alone is enough; "" where nothing is known of
            one of them.
        deaf_method: the method, where it cannot see the sound that the model hears; else "".

    >>> Reason(3.2, 4.1, "heard").sentence
    'because of seconds 3.2 to 4.1, mostly heard'
    >>> Reason(0.5, 0.6, deaf_method="gradients").sentence
    'because of seconds 0.50 to 0.60; the method "gradients" cannot tell what of the sound counts'
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
            return f"{told}; either picture or sound alone is enough"
        if self.sense:
            return f"{told}, mostly {self.sense}"
        if self.deaf_method:
            return f'{told}; the method "{self.deaf_method}" cannot tell what of the sound counts'
        return told


def reason_of(why: Explanation, seconds: float, hears: bool, falls: tuple[float, float] | None = None) -> Reason:
    """What the answer to one clip is because of.

    Args:
        why: of one clip, with times.
        seconds: how long the clip lasts.
        hears: whether the model does.
        falls: how much less probable the answer is without the picture, and without the sound: what is missed more
            counts more. Default: what the explanation says of sound decides, which of experts that read one another
            is less certain.

    Raises `ValueError` for explanations of several clips, and for those that do not say when.
    """
    if len(why) != 1:
        raise ValueError(f"a sentence is about one clip, got an explanation of {len(why)}; take why[0]")
    knows_sound = why.when_audio is not None and why.heard is not None
    sense = ("heard" if why.heard[0] > HALF else "seen") if knows_sound else ""  # type: ignore[index]
    if knows_sound and falls is not None:
        sense = EITHER if max(falls) < NOTHING else "seen" if falls[0] > falls[1] else "heard"
    heard = sense == "heard"
    when, times = (why.when_audio, why.audio_times) if heard else (why.when_visual, why.frame_times)
    if when is None or times is None:
        raise ValueError("an explanation in words needs to know when: frame_times must be among the inputs")
    start, end = span_of(when[0], times[0], seconds)
    if not knows_sound:
        return Reason(start, end, deaf_method=why.method if hears else "")
    return Reason(start, end, sense)


def span_of(when: Tensor, times: Tensor, seconds: float) -> tuple[float, float]:
    """From when to when the highest moment lasts, with those beside it that are at least half as high.

    Args:
        when: (T,), how much each moment counts.
        times: (T,), in seconds, in order.
        seconds: how long the clip lasts.

    >>> import torch
    >>> span_of(torch.tensor([0.1, 0.3, 0.5, 0.1]), torch.tensor([0.0, 1.0, 2.0, 3.0]), 4.0)
    (0.5, 2.5)
    """
    heights = when.tolist()
    first = last = heights.index(max(heights))
    enough = HALF * heights[first]
    while first > 0 and heights[first - 1] >= enough:
        first -= 1
    while last + 1 < len(heights) and heights[last + 1] >= enough:
        last += 1
    edges = edges_of(times, seconds)
    return edges[first], edges[last + 1]


def edges_of(times: Tensor, seconds: float) -> list[float]:
    """From when to when each moment lasts, T + 1 borders: halfway to the next one, and within the clip.

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
