"""How each kind of task is evaluated: lines of the log, metrics, columns, pictures.

`ANSWERS[question.task.kind]` is the class of each kind. B clips, V views and crops, K classes.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow
import torch
from torch import Tensor

from holovid.evaluation.confusion import confusion_counts, draw_confusion, most_confused
from holovid.evaluation.scatter import draw_scores
from holovid.evaluation.tasks import Question
from holovid.extras import needed
from holovid.metrics.mean_average_precision import average_precisions, best_rank
from holovid.metrics.score_errors import measured_errors
from holovid.metrics.top_k_accuracy import class_accuracies, label_ranks

with needed("matplotlib", "evaluation", extra="train"):
    from matplotlib.figure import Figure

TOP = 5  # predictions kept for each clip
TOP_K = (1, 5)
SCORES = "scores"  # the column of scores of all classes
ALL_SCORES = "log_probabilities"  # key of an answer with the scores of all classes
Answer = dict[str, Any]


class Answers:
    """Predictions for one task. `rights` are the labels of the same clips."""

    picture_name = ""  # of the file; empty without a picture

    def lines(self, logits: Tensor, rights: Sequence[Any], ensemble: str) -> list[Answer]:
        """The log entries of clips, from logits (B, V, K); for numbers also (B, V)."""
        raise NotImplementedError

    def with_all_scores(self, answers: Sequence[Answer], logits: Tensor, ensemble: str) -> list[Answer]:
        """Predictions with the scores that fusion needs, see [`check_one_class`]."""
        raise NotImplementedError

    def metrics(self, question: Question, answers: Sequence[Answer], rights: Sequence[Any]) -> dict[str, float | None]:
        """By name; `None` if these clips do not determine it."""
        raise NotImplementedError

    def per_class(self, question: Question, answers: Sequence[Answer], rights: Sequence[Any]) -> dict[str, dict]:
        """Name of each class that has clips -> how many, and their accuracy."""
        return {}

    def most_confused(self, question: Question, answers: Sequence[Answer], rights: Sequence[Any]) -> list[dict]:
        return []

    def picture(
        self, question: Question, answers: Sequence[Answer], rights: Sequence[Any], title: str
    ) -> Figure | None:
        return None

    def columns(self, question: Question, answers: Sequence[Answer | None]) -> dict[str, pyarrow.Array]:
        """Columns of the table of predictions, a value for each clip; `None` marks unreadable clips."""
        raise NotImplementedError


class ClassAnswers(Answers):
    """One class of several: the rank of the label, the best classes with their probabilities."""

    picture_name = "confusion"

    def lines(self, logits: Tensor, rights: Sequence[int], ensemble: str) -> list[Answer]:
        scores = ensemble_views(logits, ensemble).cpu().numpy()
        ranks = label_ranks(scores, np.asarray(rights))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        probabilities = np.exp(np.take_along_axis(scores, best, axis=1).astype(np.float64))
        return [
            {"rank": int(rank), "top": top.tolist(), "scores": [round(score, 6) for score in shares.tolist()]}
            for rank, top, shares in zip(ranks, best, probabilities, strict=True)
        ]

    def with_all_scores(self, answers: Sequence[Answer], logits: Tensor, ensemble: str) -> list[Answer]:
        scores = ensemble_views(logits, ensemble).cpu().tolist()
        return [answer | {ALL_SCORES: clip} for answer, clip in zip(answers, scores, strict=True)]

    def metrics(self, question: Question, answers: Sequence[Answer], rights: Sequence[int]) -> dict[str, float | None]:
        ranks, count = ranks_of(answers), len(question.classes)
        shares = class_accuracies(ranks < 1, np.asarray(rights), count)
        mean = float(np.mean([share for share in shares if share is not None]))
        return {**top_k(ranks, count), "mean_class_accuracy": mean}

    def per_class(self, question: Question, answers: Sequence[Answer], rights: Sequence[int]) -> dict[str, dict]:
        shares = class_accuracies(ranks_of(answers) < 1, np.asarray(rights), len(question.classes))
        clips = np.bincount(rights, minlength=len(question.classes))
        return {
            name: {"clips": int(count), "top1": share}
            for name, count, share in zip(question.classes, clips, shares, strict=True)
            if share is not None
        }

    def most_confused(self, question: Question, answers: Sequence[Answer], rights: Sequence[int]) -> list[dict]:
        return most_confused(self.confusions(question, answers, rights), question.classes)

    def picture(self, question: Question, answers: Sequence[Answer], rights: Sequence[int], title: str) -> Figure:
        return draw_confusion(self.confusions(question, answers, rights), question.classes, title)

    def confusions(self, question: Question, answers: Sequence[Answer], rights: Sequence[int]) -> np.ndarray:
        return confusion_counts(rights, [answer["top"][0] for answer in answers], len(question.classes))

    def columns(self, question: Question, answers: Sequence[Answer | None]) -> dict[str, pyarrow.Array]:
        classes = question.classes
        right = [None if answer is None else answer["rank"] == 0 for answer in answers]
        columns = {
            "": pyarrow.array([classes[label] for label in question.labels], pyarrow.string()),
            "correct": pyarrow.array(right, pyarrow.bool_()),
        }
        for place in range(min(TOP, len(classes))):
            best = [None if answer is None else classes[answer["top"][place]] for answer in answers]
            scores = [None if answer is None else answer["scores"][place] for answer in answers]
            columns[f"prediction_{place + 1}"] = pyarrow.array(best, pyarrow.string())
            columns[f"score_{place + 1}"] = pyarrow.array(scores, pyarrow.float64())
        if any(answer is not None and ALL_SCORES in answer for answer in answers):
            kept = [None if answer is None else answer[ALL_SCORES] for answer in answers]
            columns[SCORES] = pyarrow.array(kept, pyarrow.list_(pyarrow.float32()))
        return columns


class FutureAnswers(ClassAnswers):
    """The next action, of which several may be right: mean over classes of top-5 recall."""

    def metrics(self, question: Question, answers: Sequence[Answer], rights: Sequence[int]) -> dict[str, float | None]:
        found, count = super().metrics(question, answers, rights), len(question.classes)
        if count <= TOP:
            return found
        recalls = class_accuracies(ranks_of(answers) < TOP, np.asarray(rights), count)
        return found | {"mean_class_top5": float(np.mean([recall for recall in recalls if recall is not None]))}


class MultiLabelAnswers(Answers):
    """Any of several classes: the logit of each, because metrics compare scores of all clips."""

    def lines(self, logits: Tensor, rights: Sequence[list[int]], ensemble: str) -> list[Answer]:
        logits = logits.double()
        if ensemble == "logits":
            joined = logits.mean(dim=1)
        else:  # logit of the mean probability p, log p - log (1 - p), without underflow for large logits
            shown, absent = (torch.nn.functional.logsigmoid(sign * logits).logsumexp(dim=1) for sign in (1, -1))
            joined = shown - absent
        return [{"logits": [float(f"{logit:.7g}") for logit in clip]} for clip in joined.cpu().tolist()]

    def metrics(
        self, question: Question, answers: Sequence[Answer], rights: Sequence[list[int]]
    ) -> dict[str, float | None]:
        scores, shown = self.arrays(question, answers, rights)
        seen = [value for value in average_precisions(scores, shown) if value is not None]
        ranks = best_rank(scores, shown)[shown.any(axis=1)]
        found: dict[str, float | None] = {"mean_average_precision": float(np.mean(seen)) if seen else None}
        return found | (top_k(ranks, len(question.classes)) if len(ranks) else {})

    def per_class(self, question: Question, answers: Sequence[Answer], rights: Sequence[list[int]]) -> dict[str, dict]:
        scores, shown = self.arrays(question, answers, rights)
        precisions = average_precisions(scores, shown)
        return {
            name: {"clips": int(count), "average_precision": precision}
            for name, count, precision in zip(question.classes, shown.sum(axis=0), precisions, strict=True)
            if precision is not None
        }

    def columns(self, question: Question, answers: Sequence[Answer | None]) -> dict[str, pyarrow.Array]:
        classes = question.classes
        named = [[classes[number] for number in numbers] for numbers in question.labels]
        columns = {"": pyarrow.array(named, pyarrow.list_(pyarrow.string()))}
        best = [None if answer is None else sorted_by(answer["logits"]) for answer in answers]
        for place in range(min(TOP, len(classes))):
            names = [None if order is None else classes[order[place]] for order in best]
            scores = [
                None if order is None or answer is None else round(sigmoid(answer["logits"][order[place]]), 6)
                for order, answer in zip(best, answers, strict=True)
            ]
            columns[f"prediction_{place + 1}"] = pyarrow.array(names, pyarrow.string())
            columns[f"score_{place + 1}"] = pyarrow.array(scores, pyarrow.float64())
        return columns

    @staticmethod
    def arrays(
        question: Question, answers: Sequence[Answer], rights: Sequence[list[int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores, and whether clips have the classes, both (B, K)."""
        shown = np.zeros((len(rights), len(question.classes)), dtype=bool)
        for row, numbers in zip(shown, rights, strict=True):
            row[numbers] = True
        return np.array([answer["logits"] for answer in answers]), shown


class ScoreAnswers(Answers):
    picture_name = "scores"

    def lines(self, logits: Tensor, rights: Sequence[float], ensemble: str) -> list[Answer]:
        numbers = logits[..., 0] if logits.ndim > 2 else logits
        return [{"score": float(f"{number:.7g}")} for number in numbers.double().mean(dim=1).cpu().tolist()]

    def metrics(
        self, question: Question, answers: Sequence[Answer], rights: Sequence[float]
    ) -> dict[str, float | None]:
        return measured_errors(np.array([answer["score"] for answer in answers]), np.array(rights))

    def picture(self, question: Question, answers: Sequence[Answer], rights: Sequence[float], title: str) -> Figure:
        return draw_scores([answer["score"] for answer in answers], rights, question.column, title)

    def columns(self, question: Question, answers: Sequence[Answer | None]) -> dict[str, pyarrow.Array]:
        predicted = [None if answer is None else answer["score"] for answer in answers]
        return {
            "": pyarrow.array(question.labels, pyarrow.float64()),
            "prediction": pyarrow.array(predicted, pyarrow.float64()),
        }


ANSWERS: dict[str, Answers] = {
    "class": ClassAnswers(),
    "future": FutureAnswers(),
    "multi_label": MultiLabelAnswers(),
    "score": ScoreAnswers(),
}


def ensemble_views(logits: Tensor, ensemble: str) -> Tensor:
    """Log probabilities (B, K) of logits (B, V, K); plain probabilities could all round to 0."""
    if ensemble == "logits":
        return logits.mean(dim=1).log_softmax(dim=-1)
    return logits.log_softmax(dim=-1).logsumexp(dim=1) - math.log(logits.shape[1])


def check_one_class(questions: Sequence[Question]) -> None:
    """Raise `ValueError` for a task without one class a clip, which has no scores to fuse."""
    if others := [
        question.name for question in questions if not isinstance(ANSWERS[question.task.kind], ClassAnswers)
    ]:
        raise ValueError(f"scores of all classes need one class a clip; {others[0]!r} has several, or is a number")


def ranks_of(answers: Sequence[Answer]) -> np.ndarray:
    return np.array([answer["rank"] for answer in answers])


def top_k(ranks: np.ndarray, count: int) -> dict[str, float]:
    """Top-k accuracies; those with k of at least the number of classes are always 1 and left out, unless k is 1."""
    return {f"top{k}": float((ranks < k).mean()) for k in TOP_K if k == 1 or k < count}


def sorted_by(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
