"""Accuracy of verbs, of nouns and of actions, which are pairs of both, as a metric of `evaluate`.

As in the papers, an action is among the top k when its verb is among the top k verbs and its noun among the top k
nouns. This file needs no others, so `evaluate.load` loads it by its path, without a network.
"""

import datasets
import evaluate
import numpy as np

DESCRIPTION = "How often the verb, the noun, and both are among the k highest of their scores."
CITATION = ""
INPUTS = """
Args:
    verb_predictions, noun_predictions: scores, (clips, verbs) and (clips, nouns).
    verb_references, noun_references: class numbers, (clips,); clips with -100, which could not be read, are left
        out and counted.
    k: how many of the highest scores count; more than there are classes means all. Default 1 and 5.
Returns:
    `verb_top1`, `noun_top1`, `action_top1`, and the same with `top5` (for k of 1 and 5): floats in 0..1.
    `clips`: number of clips measured. `left_out`: of others.
    Of equal scores the lower class wins, as in argmax.
Raises ValueError for scores that are not numbers, for labels that are not classes, and when no clip is left.
"""


def action_accuracy(verb_predictions, noun_predictions, verb_references, noun_references, k=(1, 5)):
    """[`ActionAccuracy`] as a function: scores (clips, verbs), (clips, nouns) and labels (clips,).

    >>> action_accuracy([[0.9, 0.1]], [[0.2, 0.8]], [0], [0], k=1)["verb_top1"]
    1.0
    """
    sizes = sorted({k} if isinstance(k, int) else set(k))
    if not sizes or sizes[0] < 1:
        raise ValueError(f"k must be whole numbers from 1 on, got {k}")
    labels = {"verb": np.asarray(verb_references), "noun": np.asarray(noun_references)}
    scores = {
        "verb": np.asarray(verb_predictions, dtype=np.float32),
        "noun": np.asarray(noun_predictions, dtype=np.float32),
    }
    for task, rows in scores.items():
        if rows.ndim != 2 or any(of_clips.shape != rows.shape[:1] for of_clips in labels.values()):
            raise ValueError(
                f"{task}_predictions must be (clips, {task}s) and references (clips,), got {rows.shape} and "
                f"{labels[task].shape}"
            )
    kept = (labels["verb"] != -100) & (labels["noun"] != -100)
    if not kept.any():
        raise ValueError(f"no clip is left to measure: all {len(kept)} are labelled -100")
    for task, rows in scores.items():
        if (odd := np.isnan(rows).any(axis=1) & kept).any():
            first = int(odd.argmax())
            raise ValueError(f"the {task}_predictions of clip {first} (counted from 0) are not numbers (NaN)")
    ranks = {task: ranks_of_task(task, scores[task][kept], labels[task][kept]) for task in labels}
    ranks["action"] = np.maximum(ranks["verb"], ranks["noun"])
    results = {f"{task}_top{size}": float((ranks[task] < size).mean()) for size in sizes for task in ranks}
    return results | {"clips": int(kept.sum()), "left_out": int((~kept).sum())}


class ActionAccuracy(evaluate.Metric):
    """Scores and labels of verbs and nouns -> `{"verb_top1": ..., "noun_top1": ..., "action_top1": ..., ...}`.

    ActionAccuracy().compute(
        verb_predictions=verb_logits, noun_predictions=noun_logits,
        verb_references=verb_labels, noun_references=noun_labels,
    )
    """

    def _info(self):
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "verb_predictions": datasets.Sequence(datasets.Value("float32")),
                    "noun_predictions": datasets.Sequence(datasets.Value("float32")),
                    "verb_references": datasets.Value("int64"),
                    "noun_references": datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, verb_predictions, noun_predictions, verb_references, noun_references, k=(1, 5)):
        return action_accuracy(verb_predictions, noun_predictions, verb_references, noun_references, k)


def ranks_of_task(task: str, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes rank above each clip's label: scores (clips, classes), labels (clips,) -> (clips,)."""
    # as in top_k_accuracy.py: a metric must be one file
    if unknown := sorted(set(labels[(labels < 0) | (labels >= scores.shape[1])].tolist())):
        raise ValueError(f"{task}_references must be in 0..{scores.shape[1] - 1}, got {unknown}")
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    before = np.arange(scores.shape[1]) < labels[:, None]
    return ((scores > own) | ((scores == own) & before)).sum(axis=1)
