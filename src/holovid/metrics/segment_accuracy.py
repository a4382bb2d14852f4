"""Accuracy of segments of clips (the event of each second, or background), as a metric of `evaluate`.

This is the metric of AVE (Tian et al. 2018, "Audio-Visual Event Localization in Unconstrained Videos", section 6.1):
29 classes, the last one the background, over all ten one-second segments of all clips. This file needs no others, so
`evaluate.load` loads it by its path, without a network.
"""

import datasets
import evaluate
import numpy as np

DESCRIPTION = "The share of segments, over all clips, whose highest score is that of the right class."
CITATION = ""
INPUTS = """
Args:
    predictions: scores, (clips, segments, classes), the background being one of the classes.
    references: class numbers, (clips, segments); segments with -100, without a label, are left out and counted.
    background: its class number, for `foreground_accuracy`. Default: the last class.
Returns:
    `segment_accuracy`: the share of segments that are right, 0..1.
    `foreground_accuracy`: the same for segments that are not background; `None` without any.
    `segments`: number of segments measured. `left_out`: of others.
    Of equal scores the lower class wins, as in argmax.
Raises ValueError for scores that are not numbers, for labels that are not classes, and when no segment is left.
"""


def segment_accuracy(predictions, references, background=None):
    """[`SegmentAccuracy`] as a function: scores (clips, segments, classes), labels (clips, segments).

    >>> segment_accuracy([[[0.9, 0.1], [0.2, 0.8]]], [[0, 0]])["segment_accuracy"]
    0.5
    """
    scores, labels = np.asarray(predictions, dtype=np.float32), np.asarray(references)
    if scores.ndim != 3 or labels.shape != scores.shape[:2]:
        raise ValueError(
            "scores must be (clips, segments, classes) and labels (clips, segments), got "
            f"{scores.shape} and {labels.shape}"
        )
    classes = scores.shape[2]
    background = classes - 1 if background is None else background
    kept = labels != -100
    if not kept.any():
        raise ValueError(f"no segment is left to measure: all {kept.size} are labelled -100")
    if unknown := sorted({number for number in labels[kept].tolist() if not 0 <= number < classes}):
        raise ValueError(f"references must be in 0..{classes - 1}, got {unknown}")
    if np.isnan(scores[kept]).any():
        first = int((np.isnan(scores).any(axis=2) & kept).any(axis=1).argmax())
        raise ValueError(f"the scores of clip {first} (counted from 0) are not numbers (NaN)")
    right, something = (scores.argmax(axis=2) == labels)[kept], (labels != background)[kept]
    return {
        "segment_accuracy": float(right.mean()),
        "foreground_accuracy": float(right[something].mean()) if something.any() else None,
        "segments": int(kept.sum()),
        "left_out": int((~kept).sum()),
    }


class SegmentAccuracy(evaluate.Metric):
    """Scores (clips, segments, classes) and labels (clips, segments) -> `{"segment_accuracy": ..., ...}`.

    SegmentAccuracy().compute(predictions=logits, references=labels)
    """

    def _info(self):
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Sequence(datasets.Value("float32"))),
                    "references": datasets.Sequence(datasets.Value("int64")),
                }
            ),
        )

    def _compute(self, predictions, references, background=None):
        return segment_accuracy(predictions, references, background)
