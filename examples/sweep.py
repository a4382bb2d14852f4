"""Which learning rate and weight decay are best? Trainer's search with optuna over runs of `holovid train`.

    pip install "holovid[sweep]"
    python examples/sweep.py clips --model run --trials 20 --output sweep

takes the arguments of `holovid train`. Each trial is a run in a folder of its own, from `sweep/run-0` on. A trial ends
early if most others did better after as many epochs. At the end the script prints the command that trains with the
best values.
"""

import argparse
import copy
import shlex
import sys
from collections.abc import Callable
from typing import Any

from transformers import PreTrainedModel

from holovid.commands.command_line import run_script
from holovid.modeling.tasks import tasks_of
from holovid.training.early_stop import best_metric
from holovid.training.run_options import check_run
from holovid.training.running import build_run


def parse(argv: list[str] | None) -> tuple[int, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--trials", type=int, default=20, help="runs in all; the rest is as for holovid train")
    own, words = parser.parse_known_args(argv)
    if own.trials < 1:
        raise ValueError(f"--trials must be 1 or more, got {own.trials}")
    return own.trials, words


def copies_of(model: PreTrainedModel) -> Callable[[], PreTrainedModel]:
    """Each trial starts from the same weights."""
    return lambda: copy.deepcopy(model)


def main(argv: list[str] | None = None) -> None:
    trials, words = parse(argv)
    try:
        import optuna
    except ImportError as error:
        raise ImportError('a sweep needs optuna: pip install "holovid[sweep]"') from error
    check_run(words)
    built = build_run(words, model_init=copies_of)
    rate, tasks = built.args.learning_rate, tasks_of(built.parts.model, built.parts.model.config)
    metric, more_is_better = best_metric(tasks)

    def space(trial: Any) -> dict[str, float]:
        """Any of TrainingArguments but those that the recipe decides, around what the recipe says."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", rate / 8, rate * 8, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-3, 0.3, log=True),
        }

    best = built.trainer.hyperparameter_search(
        hp_space=space,
        compute_objective=lambda measured: measured[f"eval_{metric}"],
        direction="maximize" if more_is_better else "minimize",
        n_trials=trials,
        backend="optuna",
        sampler=optuna.samplers.TPESampler(seed=built.args.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )
    chosen = [word for name, value in best.hyperparameters.items() for word in (f"--{name}", f"{value:.3g}")]
    print(f"The best of {trials} is trial {best.run_id}, {metric} {best.objective:.3f}. To train with its values:")
    print(shlex.join(["holovid", "train", *words, *chosen]))


if __name__ == "__main__":
    sys.exit(run_script("sweep.py", main))
