"""The picture of numbers: a dot for each clip at its place, and the curve where there is one."""

import numpy as np
import pytest

from holovid.evaluation.scatter import draw_scores


def test_dots_and_lines():
    predicted, right = [1.0, 4.0, 2.0, 3.0, 5.0, 6.0], [10.0, 40.0, 12.0, 38.0, 41.0, 43.0]
    figure = draw_scores(predicted, right, "mos", "tiny on clips, $6")
    (axes,) = figure.axes
    assert axes.collections[0].get_offsets().tolist() == [list(pair) for pair in zip(predicted, right, strict=True)]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted mos", "mos")
    assert [line.get_label() for line in axes.lines] == ["prediction = label", "logistic fit"]
    assert axes.lines[1].get_xdata().tolist() == sorted(predicted)
    assert np.abs(axes.lines[1].get_ydata() - np.sort(right)).max() < 3
    figure.canvas.draw()  # dollars start no formula


def test_few_clips_or_equal_ones_have_no_curve():
    for predicted in ([1.0, 2.0], [3.0] * 7):
        assert len(draw_scores(predicted, range(len(predicted)), "mos").axes[0].lines) == 1
    with pytest.raises(ValueError, match="must be equally many and not empty, got 0 and 0"):
        draw_scores([], [], "mos")
