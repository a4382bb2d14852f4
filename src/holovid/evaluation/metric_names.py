"""Names of metrics, and the format of their values."""

from collections.abc import Iterable

TITLES = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class_top5": "class-mean recall@5",
    "mean_class_accuracy": "mean class accuracy",
    "mean_average_precision": "mAP",
    "mean_absolute_error": "MAE",
    "root_mean_squared_error": "RMSE",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "kendall": "Kendall",
    "pearson_fitted": "Pearson after a logistic fit",
}
OF_NUMBERS = ("mean_absolute_error", "root_mean_squared_error", "pearson", "spearman", "kendall", "pearson_fitted")


def is_share(name: str) -> bool:
    """Whether a metric, such as `top1` or `verb_top1`, is a share in 0..1; others have a unit, or may be negative."""
    return not name.endswith(OF_NUMBERS)


def parts_of(name: str) -> tuple[str, str]:
    """
    >>> parts_of("verb_top1"), parts_of("top1")
    (('verb_', 'top1'), ('', 'top1'))
    """
    metric = next(metric for metric in TITLES if name == metric or name.endswith(f"_{metric}"))
    return name.removesuffix(metric), metric


def metrics_in_order(names: Iterable[str]) -> list[str]:
    """Names of metrics, each once, by task, the most informative first."""
    names = list(names)
    tasks = dict.fromkeys(parts_of(name)[0] for name in names)
    return [task + metric for task in tasks for metric in TITLES if task + metric in names]


def title_of(name: str) -> str:
    """A metric's name for people.

    >>> title_of("verb_mean_class_accuracy")
    'verb mean class accuracy'
    """
    task, metric = parts_of(name)
    return task.replace("_", " ") + TITLES[metric]


def shown(name: str, value: float | None) -> str:
    """A value for people: shares in percent.

    >>> shown("top1", 0.5), shown("mean_absolute_error", 0.5), shown("pearson", None)
    ('50.00', '0.5', '')
    """
    if value is None:
        return ""
    return f"{100 * value:.2f}" if is_share(name) else f"{value:.4g}"
