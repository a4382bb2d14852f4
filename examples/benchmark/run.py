"""Everything that is asked about speed and memory.   make bench, then make bench-long

`make bench` takes 25 minutes on two cores; `make bench-long` adds what takes longer: training, memory, films. Each
question is a script of this folder, is answered by a process of its own, and prints a table and a line of JSON. All
answers, and what they come to beside what was to be reached, go to RESULTS.md, which is written when all is done.
Answers to other questions stay, if they were given with the same versions on a CPU and GPU of the same kind.
Where speed is asked for, processes keep the memory they freed (holovid.allocator), for all models alike.
What is measured on a CPU is told as ratios, which other machines of its kind share; seconds are told of GPUs only.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import psutil
from limit import NO_TIME
from reporting import cores, versions
from targets import TARGETS

from holovid.files import write_whole

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
# the last ones are left out when time is short
SHORT = (
    "limit", "frames", "streaming", "bfloat16", "decoding", "loader", "import_time", "compiling", "memory", "forward",
)  # fmt: skip
LONG = (
    "beside",
    "films",
    "allocation",
    "shrinking",
    "decoders",
    "packing",
    "int8",
    "switches",
    "training_memory",
    "training_step",
)
QUESTIONS = (*SHORT, *LONG)
REPEAT = {  # rounds or repetitions, where a question has fewer than it would by itself
    "import_time": 2, "films": 2, "shrinking": 2, "decoders": 5, "int8": 5, "switches": 11,
    "allocation": 3, "training_memory": 1, "training_step": 3,
}  # fmt: skip
LAST_ROW = 120.0  # seconds that a row of forward.py or training_step.py may take


def ask(question: str, options: Sequence[str], threads: int, seconds: float) -> dict[str, Any]:
    """The answer of a script, which is stopped when it takes longer; `{"failed": why}` when there is none."""
    if seconds <= 0:
        return {"failed": NO_TIME}
    command = [sys.executable, str(HERE / f"{question}.py"), *options]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    # a session of its own: what the script has started is stopped with it
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            stop(process)
            return {"failed": NO_TIME}
    print(printed, flush=True)
    if process.returncode:
        return {"failed": f"failed, with status {process.returncode}"}
    return json.loads(printed.splitlines()[-1])


def stop(process: subprocess.Popen) -> None:
    """End a process and what it has started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
        return
    for each in [*psutil.Process(process.pid).children(recursive=True), process]:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def markdown(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def answers_of_this_kind(path: Path) -> dict[str, dict[str, Any]]:
    """Those of a file of JSON that a machine of this kind gave with the same versions; says which are left out."""
    if not path.exists():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    here = versions() | {"threads": ""}  # some questions take one thread of all
    kept = {name: answer for name, answer in found.items() if answer.get("versions", {}) | {"threads": ""} == here}
    if left := [name for name in found if name not in kept]:
        print(f"left out, as they were answered elsewhere or not at all: {', '.join(left)}", file=sys.stderr)
    return kept


def results(answers: dict[str, dict[str, Any]], command: str) -> str:
    """RESULTS.md."""
    minutes = sum(answer["minutes"] for answer in answers.values())
    setting = next((answer["versions"] for answer in answers.values() if "versions" in answer), {})
    judged = [target.judge(answers) for target in TARGETS]
    told = "; ".join(f"{name} {value}" for name, value in setting.items())
    parts = [
        "# Speed and memory, measured",
        f"`{command}`, {minutes:.0f} minutes in all; {told}.",
        "That command was the last that wrote to this page; each answer has its own date. All repetitions are in a "
        "file of JSON beside it. Numbers are medians. Behind those of rounds stands the interval in which the median "
        "lies (95 %), behind others the range of the repetitions; what a question measures is said at the top of its "
        "script.",
        "## What was to be reached",
        markdown(["target", "wanted", "measured", ""], judged),
    ]
    for question, answer in answers.items():
        parts.append(f"## {answer.get('title', question)}")
        parts.append(f"`examples/benchmark/{question}.py`, {answer['date']}, {answer['minutes']:.1f} minutes")
        parts.append(answer.get("failed") or markdown(answer["headings"], answer["cells"]))
    return "\n\n".join(parts) + "\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("   ")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--questions", nargs="+", choices=QUESTIONS, default=list(SHORT), help="which of them")
    parser.add_argument("--output", type=Path, default=RESULTS, help="what to write, beside a file of JSON")
    parser.add_argument("--threads", type=int, default=cores(), help="of the CPU")
    parser.add_argument(
        "--minutes", type=float, default=25.0, help="what is not answered by then is left out; with a GPU give 90"
    )
    parser.add_argument("--quick", action="store_true", help="tiny models, to see whether everything runs")
    parser.add_argument("further", nargs="*", metavar="-- OPTIONS", help="further options of the one script asked for")
    args = parser.parse_args(argv)
    if args.further and len(args.questions) > 1:
        parser.error("options after -- are those of one script; name it with --questions")
    if args.quick and args.output == RESULTS:
        parser.error("--quick measures nothing worth keeping; name another --output")

    kept = args.output.with_suffix(".json")
    answers = answers_of_this_kind(kept)
    start = time.monotonic()
    for question in args.questions:
        begin = time.monotonic()
        left = 60 * args.minutes - (begin - start)
        repeat = ["--repeat", str(REPEAT[question])] if question in REPEAT else []
        options = ["--quick", "--repeat", "1"] if args.quick else repeat
        if question in ("forward", "training_step"):
            options = [*options, "--seconds", f"{max(0.0, left - LAST_ROW):.0f}"]
        answer = ask(question, [*options, *args.further], args.threads, left)
        answers[question] = answer | {"date": str(date.today()), "minutes": (time.monotonic() - begin) / 60}
        print(f"{question}: {(time.monotonic() - start) / 60:.1f} minutes so far", file=sys.stderr, flush=True)
    answers = {question: answers[question] for question in QUESTIONS if question in answers}
    given = sys.argv[1:] if argv is None else argv
    write_whole(kept, json.dumps(answers, ensure_ascii=False) + "\n")
    write_whole(args.output, results(answers, shlex.join(["python", "examples/benchmark/run.py", *given])))
    return int(any("failed" in answers[question] for question in args.questions))


if __name__ == "__main__":
    sys.exit(main())
