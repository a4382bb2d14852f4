"""Do two runs say the same?   python examples/benchmark/agreement.py first.json second.json --output AGREEMENT.md

Of what run.py wrote beside its pages in two runs on one machine: each model's rate over the limit and over its peer's,
in the one and in the other, and how far apart they are. 0.04 or less is wanted.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from run import markdown

from holovid.files import write_whole

WANTED = 0.04
KEYS = ("model", "frames", "batch", "dtype", "what")
MEASURED = {"ratios": "of the limit", "over_peer": "rate over its peer's"}
HEADINGS = ["model", "what", "first", "second", "apart"]


def medians(answers: Mapping[str, Mapping[str, Any]]) -> dict[tuple[Any, ...], float]:
    """(what identifies a row, what was measured) -> its median, of the question forward."""
    return {
        (*(row.get(key) for key in KEYS), what): statistics.median(row[name])
        for row in answers["forward"].get("rows", ())
        for name, what in MEASURED.items()
        if row.get(name)
    }


def table_rows(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[list[str], float]]:
    """Cells of each row that both runs have, and how far apart the two are.

    Raises `ValueError` when they have none in common.
    """
    ones, others = medians(first), medians(second)
    if not (both := [key for key in ones if key in others]):
        raise ValueError("the two runs have no row in common; ask both the same questions")
    for key in both:
        model, frames, batch, dtype, _, what = key
        apart = abs(ones[key] - others[key])
        name = f"{model}, {frames} frames, batch {batch}, {dtype}"
        yield [name, what, f"{ones[key]:.3f}", f"{others[key]:.3f}", f"{apart:.3f}"], apart


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("   ")[0])
    parser.add_argument("runs", nargs=2, type=Path, help="what run.py wrote beside its pages (.json)")
    parser.add_argument("--output", type=Path, help="a page (.md) to write")
    args = parser.parse_args(argv)
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in args.runs)
    rows = list(table_rows(first, second))
    most = max(apart for _, apart in rows)
    verdict = f"At most {most:.3f} apart; {WANTED} or less is wanted: {'reached' if most <= WANTED else '**missed**'}."
    table = markdown(HEADINGS, [cells for cells, _ in rows])
    print(table, verdict, sep="\n\n")
    if args.output is not None:
        write_whole(args.output, f"# Two runs on one machine\n\n{verdict}\n\n{table}\n")
    return int(most > WANTED)


if __name__ == "__main__":
    sys.exit(main())
