"""How long does importing take?   python examples/benchmark/import_time.py

`import holovid` beside `import transformers, torch`, each in a process of its own, taking turns; also what it takes to
get at a model and a processor, beside what transformers takes for the like. Processor seconds, as those of a clock
depend on what else runs and on which files are in memory already.
"""

import statistics
import subprocess
import sys
from typing import Any

from limit import spread
from reporting import parse, progress, report

BASE = "import transformers, torch"
PAIRS = {  # what is measured -> what it is compared with
    "import holovid": BASE,
    "import transformers, torch, holovid": BASE,
    "from holovid import XViTConfig": "from transformers import ViTConfig",
    "from holovid import XViTForVideoClassification": "from transformers import ViTForImageClassification",
    "from holovid import HolovidVideoProcessor": "from transformers import VJEPA2VideoProcessor",
}


def seconds_of(statement: str) -> float:
    """Processor seconds of a statement in a new process, without those that starting Python takes."""
    script = f"import time; begin = time.process_time(); {statement}; print(time.process_time() - begin)"
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    run.check_returncode()
    return float(run.stdout.splitlines()[-1])


def measure(statement: str = "import holovid", base: str = BASE, repeat: int = 5) -> dict[str, Any]:
    """A row: `seconds` and `base_seconds` of each repetition, after one that brings the files into memory, and the
    `ratio` of their medians."""
    for each in (statement, base):
        seconds_of(each)
    row: dict[str, Any] = {"statement": statement, "base": base, "seconds": [], "base_seconds": []}
    for _ in range(repeat):
        row["base_seconds"].append(seconds_of(base))
        row["seconds"].append(seconds_of(statement))
    row["ratios"] = [own / other for own, other in zip(row["seconds"], row["base_seconds"], strict=True)]
    row["ratio"] = statistics.median(row["seconds"]) / statistics.median(row["base_seconds"])
    return row


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    pairs = list(PAIRS.items())[: 1 if args.quick else None]
    rows = [measure(*pair, args.repeat) for pair in progress(pairs, "Importing")]
    cells = [[row["statement"], row["base"], f"{row['ratio']:.2f}", spread(row["ratios"])] for row in rows]
    report(
        "import_time", __doc__, args, rows,
        ["statement", "compared with", "ratio of the medians", "of the repetitions"], cells,
    )  # fmt: skip


if __name__ == "__main__":
    main()
