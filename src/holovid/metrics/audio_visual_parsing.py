"""The ten F-scores of audio-visual video parsing (events heard and seen, and when), as a metric of `evaluate`.

This is the metric of LLP (Tian et al. 2020, "Unified Multisensory Perception: Weakly-Supervised Audio-Visual Video
Parsing", section 5.1, with the rules of its code). This file needs no others, so `evaluate.load` loads it by its path,
without a network.
"""

import datasets
import evaluate
import numpy as np

DESCRIPTION = "F-scores of events that are heard, seen, and both, by segment and by event."
CITATION = ""
INPUTS = """
Args:
    audio_predictions, visual_predictions: 1 where a class is heard (seen) in a segment, else 0,
        (clips, classes, segments); `parsed` makes them from probabilities.
    audio_references, visual_references: the truth, likewise. Clips with -100 are left out and counted.
    overlap: least intersection over union of matching events. Default 0.5.
Returns:
    `segment_audio`, `segment_visual`, `segment_audio_visual`: F-scores by segment, of what is heard, of what is seen,
        and of what is both in the same segment; 0..1, where papers give per cent.
    `segment_type`: the mean of these three, which papers call Type@AV.
    `segment_event`: of what is heard and what is seen counted together, which papers call Event@AV.
    `event_audio`, ..., `event_event`: the same by event, which is all segments of a class that follow each other.
    `clips`: number of clips measured. `left_out`: of others.
    A clip's score is the mean over the classes in the truth or the prediction, and 1 without any; the score of all
    clips is the mean over clips.
Raises ValueError for anything but 0 and 1, for arrays of different shapes, and when no clip is left.
"""
NAMES = ("audio_predictions", "visual_predictions", "audio_references", "visual_references")


def parsed(segments: np.ndarray, clips: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Segments with a class, for a weakly supervised model: both segment and clip must reach the threshold.

    Args:
        segments: probabilities of classes in each segment, (clips, classes, segments).
        clips: probabilities of classes in each clip, (clips, classes).
        threshold: for both.

    >>> parsed(np.array([[[0.9, 0.2], [0.8, 0.7]]]), np.array([[0.6, 0.4]]))
    array([[[1, 0],
            [0, 0]]])
    """
    return ((segments >= threshold) & (clips >= threshold)[..., None]).astype(int)


def runs(row: np.ndarray) -> list[tuple[int, int]]:
    """First segment of each event, and the one after its last: bool (segments,).

    >>> runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    changes = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return [(int(start), int(end)) for start, end in changes.reshape(-1, 2)]


def segment_counts(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Hits, false alarms and misses of segments: bool (clips, classes, segments) -> (3, clips, classes)."""
    pairs = ((predicted, truth), (predicted, ~truth), (~predicted, truth))
    return np.stack([(one & other).sum(axis=2) for one, other in pairs])


def event_counts(predicted: np.ndarray, truth: np.ndarray, overlap: float) -> np.ndarray:
    """The same for events. No event matches two: if one is cut in two, only one part can be large enough."""
    counts = np.zeros((3, *truth.shape[:2]), dtype=int)
    for clip, number in np.argwhere((predicted | truth).any(axis=2)):
        found, real = runs(predicted[clip, number]), runs(truth[clip, number])
        hits = 0
        for start, end in found:
            shared = [(min(end, stop) - max(start, first), max(end, stop) - min(start, first)) for first, stop in real]
            hits += any(common > 0 and common >= overlap * whole for common, whole in shared)
        counts[:, clip, number] = hits, len(found) - hits, len(real) - hits
    return counts


def mean_f_score(counts: np.ndarray) -> float:
    """(3, clips, classes) of hits, false alarms and misses -> the mean over clips of the mean over classes.

    >>> mean_f_score(np.array([[[2, 0]], [[1, 0]], [[1, 0]]]))
    0.6666666666666666
    """
    hits, alarms, misses = counts
    whole = 2 * hits + alarms + misses
    has = whole > 0
    scores = np.where(has, 2 * hits / np.maximum(whole, 1), 0).sum(axis=1)
    return float(np.where(has.any(axis=1), scores / np.maximum(has.sum(axis=1), 1), 1.0).mean())


def audio_visual_parsing(audio_predictions, visual_predictions, audio_references, visual_references, overlap=0.5):
    """[`AudioVisualParsing`] as a function: four arrays of 0 and 1, (clips, classes, segments).

    >>> audio_visual_parsing([[[1, 0]]], [[[1, 1]]], [[[1, 0]]], [[[1, 0]]])["segment_audio"]
    1.0
    """
    if not 0.5 <= overlap <= 1:
        raise ValueError(f"overlap must be between 0.5 and 1, so that no event matches two, got {overlap}")
    given = (audio_predictions, visual_predictions, audio_references, visual_references)
    arrays = {name: np.asarray(values) for name, values in zip(NAMES, given, strict=True)}
    shapes = {values.shape for values in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 3:
        found = ", ".join(str(values.shape) for values in arrays.values())
        raise ValueError(f"all four must be (clips, classes, segments) of one shape, got {found}")
    kept = np.all([(arrays[name] != -100).all(axis=(1, 2)) for name in NAMES], axis=0)
    if not kept.any():
        raise ValueError(f"no clip is left to measure: all {len(kept)} are labelled -100")
    for name, values in arrays.items():
        if not np.isin(values[kept], (0, 1)).all():
            wrong = values[kept][~np.isin(values[kept], (0, 1))][0]
            raise ValueError(f"{name} must be 1 for a class in a segment and 0 elsewhere, got {wrong}")
    heard, seen, is_heard, is_seen = (arrays[name][kept] == 1 for name in NAMES)
    pairs = {
        "audio": (heard, is_heard),
        "visual": (seen, is_seen),
        "audio_visual": (heard & seen, is_heard & is_seen),
    }
    results: dict = {}
    for level in ("segment", "event"):
        counts = {
            name: segment_counts(*pair) if level == "segment" else event_counts(*pair, overlap)
            for name, pair in pairs.items()
        }
        scores = {name: mean_f_score(values) for name, values in counts.items()}
        results |= {f"{level}_{name}": score for name, score in scores.items()}
        results[f"{level}_type"] = float(np.mean(list(scores.values())))
        results[f"{level}_event"] = mean_f_score(counts["audio"] + counts["visual"])
    return results | {"clips": int(kept.sum()), "left_out": int((~kept).sum())}


class AudioVisualParsing(evaluate.Metric):
    """Four arrays of 0 and 1, (clips, classes, segments) -> `{"segment_audio": ..., ..., "event_event": ...}`.

    AudioVisualParsing().compute(
        audio_predictions=heard, visual_predictions=seen, audio_references=is_heard, visual_references=is_seen,
    )
    """

    def _info(self):
        matrix = datasets.Sequence(datasets.Sequence(datasets.Value("int64")))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(dict.fromkeys(NAMES, matrix)),
        )

    def _compute(self, audio_predictions, visual_predictions, audio_references, visual_references, overlap=0.5):
        return audio_visual_parsing(
            audio_predictions, visual_predictions, audio_references, visual_references, overlap
        )
