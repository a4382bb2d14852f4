"""The results on a card: what was measured, class by class, and the figures that papers publish."""

from collections.abc import Mapping, Sequence
from typing import Any

from holovid.evaluation.metric_names import metrics_in_order, shown, title_of
from holovid.publishing.markdown import code, section, table
from holovid.publishing.papers import reported
from holovid.publishing.subject import Subject

# what the figures of a table are, by kind of task
MEASURED = {
    "class": "Accuracy in percent.",
    "future": "Accuracy in percent.",
    "multi_label": "In percent. mAP is the mean over classes of the average precision; top-k is the share of clips "
    "that show at least one of the k classes with the highest scores.",
    "score": "MAE and RMSE have the unit of the score. Pearson (PLCC), Spearman (SROCC) and Kendall (KROCC) "
    "correlations go from -1 to 1; the last column is the Pearson correlation after fitting a logistic curve with "
    "four parameters to the clips.",
}
REPORTED = {"class": "accuracy in %", "future": "accuracy in %", "multi_label": "in %", "score": "correlation"}
INTERVENTIONS = {"shuffle_frames": "frames shuffled", "hold_still": "one frame repeated", "mute": "audio muted"}
OF_CLASS = {"top1": "accuracy", "average_precision": "average precision"}  # the metric of one class
MOST_CLASSES = 20  # in a table
MOST_PAIRS = 5


def views(protocol: Mapping[str, Any]) -> str:
    """ "2 x 3", of views in time and crops in space."""
    flips = " x 2 flips" if protocol.get("flips") else ""
    return f"{protocol['views']} x {protocol['crops']}{flips}"


def by_whether_fused(
    evaluations: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Evaluations of the model alone, and those of ensembles of several models."""
    alone = [each for each in evaluations if "fused" not in each["protocol"]]
    return alone, [each for each in evaluations if "fused" in each["protocol"]]


def results(subject: Subject) -> str:
    """Only what `holovid evaluate` has measured."""
    found = subject.records.evaluations
    title = "Results"
    if not found:
        return section(title, "None: this model has not been evaluated.")
    alone, fused = by_whether_fused(found)
    names = metrics_in_order(name for each in found for name in each["metrics"])
    rows = []
    for each in alone:
        protocol, counts = each["protocol"], each["counts"]
        taken = [INTERVENTIONS.get(name, name.replace("_", " ")) for name in protocol["intervention"]]
        data = name_of_data(each)
        scores = [shown(name, each["metrics"].get(name)) for name in names]
        how = f"{protocol['frames'] or 'all'} {protocol['sampling']}"
        asked = (views(protocol), how, protocol["ensemble"], ", ".join(taken) or "none")
        rows.append((data, counts["evaluated"], counts["broken"], *asked, *scores))
    head = ("data", "clips", "unreadable clips", "views", "frames", "averaged over views", "ablation")
    means = []
    for sets, values in subject.records.means.items():
        told = ", ".join(f"{title_of(name)} {shown(name, value)}" for name, value in values.items())
        means.append(f"Harmonic mean of {sets}: {told}.")
    together = [
        (
            each["model"]["name"],
            each["counts"]["evaluated"],
            each["counts"]["broken"],
            *(shown(name, each["metrics"].get(name)) for name in names),
        )
        for each in fused
    ]
    commands = dict.fromkeys(each["command"] for each in found if each.get("command"))
    return section(
        title,
        "Measured with `holovid evaluate` on the weights in this repository. "
        f"{MEASURED[subject.facts.tasks[0].kind]} Views are windows in time x crops in space."
        if alone
        else "This model was not evaluated on its own.",
        table((*head, *map(title_of, names)), rows) if alone else "",
        *means,
        "Ensembles, measured with `holovid evaluate --fuse`: the probabilities of several models are added, each "
        "multiplied by its weight."
        if fused
        else "",
        table(("models", "clips", "unreadable clips", *map(title_of, names)), together) if fused else "",
        code("\n".join(commands), "sh") if commands else "",
    )


def name_of_data(evaluation: Mapping[str, Any]) -> str:
    """The data set and split of an evaluation, such as "ssv2 validation"."""
    return " ".join(filter(None, (evaluation["dataset"]["name"], evaluation["dataset"]["split"])))


def results_by_class(subject: Subject) -> str:
    """Accuracy, confusions and pictures by class, of evaluations without an ablation."""
    found = [each for each in by_whether_fused(subject.records.evaluations)[0] if not each["protocol"]["intervention"]]
    parts = []
    for each in found:
        for task, classes in each.get("per_class", {}).items():
            if classes:
                asked = f", {task}" if len(each["per_class"]) > 1 else ""
                parts += [f"### {name_of_data(each)}{asked}", class_table(classes), confused(each, task)]
    pictures = [f"![{about}]({path})" for path, about in subject.records.pictures.items()]
    return section("Results by class", *parts, *pictures) if parts or pictures else ""


def class_table(classes: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of classes: all of them, or the worst ones if there are many."""
    (measure,) = OF_CLASS.keys() & next(iter(classes.values()))
    worst = sorted(classes, key=lambda name: classes[name][measure])
    listed = [*classes] if len(classes) <= MOST_CLASSES else worst[:MOST_CLASSES]
    rows = [(name, classes[name]["clips"], f"{100 * classes[name][measure]:.2f}") for name in listed]
    told = table(("class", "clips", f"{OF_CLASS[measure]}, %"), rows)
    if len(rows) == len(classes):
        return told
    return f"The {len(rows)} of {len(classes)} classes with the lowest {OF_CLASS[measure]}:\n\n{told}"


def confused(evaluation: Mapping[str, Any], task: str) -> str:
    pairs = evaluation.get("most_confused", {}).get(task, [])[:MOST_PAIRS]
    told = [f"{pair['label']} predicted as {pair['prediction']} ({pair['clips']} clips)" for pair in pairs]
    return f"Most frequent confusions: {', '.join(told)}." if told else ""


def results_of_papers(subject: Subject) -> str:
    """Published figures of the released model of this size, on the card of a converted one."""
    config = subject.config
    if subject.records.conversion is None:
        return ""
    found = reported(subject.facts, config)
    if not found:
        return ""
    return section(
        "Published results",
        "Figures published for the released model of this size. We have not reproduced them.",
        table(
            ("data", REPORTED[subject.facts.tasks[0].kind], "views", "source"),
            [(figure.dataset, figure.accuracy, figure.views, figure.source) for figure in found],
        ),
    )
