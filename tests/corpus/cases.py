"""What an input of the corpus is, and what may come of it.

    Case("a clip cut in half", make=half_a_clip, do=see, expect=refused())

`make` writes the input in an empty folder and returns it, `do` gives it to holovid as a user would, and `expect` says
what is right: an answer, a refusal, or either. Whatever else happens is a fault.
"""

import dis
import inspect
import os
import re
import runpy
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from huggingface_hub.errors import StrictDataclassError

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
LONGEST_SENTENCE = 1200  # characters of a message
SHORTEST_SENTENCE = 15
PLAINLY_REFUSED = (ValueError, TypeError, OSError, FileNotFoundError, ImportError)  # and nothing derived from these
OUT_OF_MEMORY = ("Cannot allocate memory", "not enough memory", "Unable to allocate", "DefaultCPUAllocator")
PROGRESS = re.compile(r"\w+ +\d+/\d+ ")  # a bar that was being drawn when the command ended
OTHERS_WHO_REFUSE = (
    "transformers",
    "huggingface_hub",
    "typer",
    "torch.utils.data",
)  # in sentences that we need not repeat


@dataclass(frozen=True)
class Expectation:
    """
    Args:
        answer: tells whether an answer is right; `None` = no answer is, the input must be refused.
        refusable: whether the input may be refused.
        says: words that the refusal, or the warnings beside an answer, must have.
    """

    answer: Callable[[Any], bool] | None
    refusable: bool
    says: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What is right."""
        return getattr(self.answer, "words", None) or inspect.getsource(self.answer).strip()[:200]


@dataclass(frozen=True)
class Case:
    """
    Args:
        name: whole words, different from all others of its group.
        make: writes the input below a folder, and returns it.
        do: what a user does with it; returns the answer.
        expect: see `Expectation`.
        fast: whether it is one of those that the fast tests try.
        seconds: that `do` may take.
        memory: MiB that it may take beyond what the process had.
        network: whether it may open sockets.
    """

    name: str
    make: Callable[[Path], Any]
    do: Callable[[Any], Any]
    expect: Expectation
    fast: bool = False
    seconds: float = 20.0
    memory: int = 500
    network: bool = False


class CommandRefused(ValueError):
    """A command ended as it should for wrong input."""


class Fault(Exception):
    """What `do` found is wrong whatever the case expects."""


@dataclass(frozen=True)
class Ran:
    """A command that came to its end: exit status, what it printed, what it complained about."""

    status: int
    out: str
    err: str


def gives(right: Any, says: str = "") -> Expectation:
    """The answer is `right`, or `right(answer)` holds."""
    return Expectation(checker(right), False, tuple(says.split()))


def refused(says: str = "") -> Expectation:
    """The input is refused in a sentence that has these words."""
    return Expectation(None, True, tuple(says.split()))


def gives_or_refuses(right: Any = lambda answer: True) -> Expectation:
    """The input may be refused; if it is not, the answer is `right`."""
    return Expectation(checker(right), True)


def checker(right: Any) -> Callable[[Any], bool]:
    return right if callable(right) else described(lambda answer: answer == right, repr(right))


def described(check: Callable[[Any], bool], words: str) -> Callable[[Any], bool]:
    """The check, which says what is right."""
    check.words = words  # type: ignore[attr-defined]
    return check


def judge(expect: Expectation, answer: Any, error: BaseException | None, said: list[str]) -> tuple[str, str]:
    """("right", "clean error" or "fault", why), of what `do` returned or raised and was `said` beside it."""
    if error is not None:
        if flaw := flaw_of(error):
            return "fault", flaw
        message = sentence_of(error)
        if not expect.refusable:
            return "fault", f"refused, though there is a right answer: {message}"
        if absent := [word for word in expect.says if word.lower() not in message.lower()]:
            return "fault", f"the refusal does not say {absent}: {message}"
        return "clean error", message
    if expect.answer is None:
        return "fault", f"not refused; the answer is {shortened(answer)}"
    if not expect.answer(answer):
        return "fault", f"wrong answer {shortened(answer)}; right is {expect.words}"
    heard = " ".join(said).lower()
    if absent := [word for word in expect.says if word.lower() not in heard]:
        return "fault", f"no warning says {absent}; said was {said}"
    return "right", shortened(answer)


def shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 400 else text[:400] + "..."


def sentence_of(error: BaseException) -> str:
    """What a user reads of an error: of a configuration's refusal, the sentence that it wraps."""
    if isinstance(error, StrictDataclassError) and error.__cause__ is not None:
        return str(error.__cause__).strip()
    return str(error).strip()


def flaw_of(error: BaseException) -> str | None:
    """Why an error is no clean refusal: a sentence that somebody meant to say; `None` if it is one."""
    shown = "".join(traceback.format_exception(error)[-8:])[-1500:]
    inner = error.__cause__ if isinstance(error, StrictDataclassError) and error.__cause__ else error
    if isinstance(error, Fault):
        return str(error)
    ours = type(inner).__module__.startswith(("holovid", "huggingface_hub", "corpus"))
    if type(inner) not in PLAINLY_REFUSED and not ours:
        return f"raises {type(error).__name__}: {shown}"
    if not isinstance(inner, CommandRefused) and not raised_on_purpose(inner):
        return f"lets a {type(inner).__name__} of another library through: {shown}"
    message = sentence_of(error)
    if any(words in message for words in OUT_OF_MEMORY):
        return f"ran out of memory: {message}"
    if not SHORTEST_SENTENCE <= len(message) <= LONGEST_SENTENCE:
        return f"the message is no sentence: {message[:300]!r}"
    if "\n" in message and not module_of(inner).startswith(OTHERS_WHO_REFUSE):
        return f"the message has several lines: {message!r}"
    return None


def raised_on_purpose(error: BaseException) -> bool:
    """Whether a `raise` of holovid, or of a library whose sentences reach users, made the error."""
    place = origin(error)
    if place is None:
        return False
    made_by = dis.opname[place.tb_frame.f_code.co_code[place.tb_lasti]]
    return made_by == "RAISE_VARARGS" and module_of(error).startswith(
        ("holovid", "__main__", "corpus", *OTHERS_WHO_REFUSE)
    )


def module_of(error: BaseException) -> str:
    """The module that raised."""
    place = origin(error)
    return "" if place is None else place.tb_frame.f_globals.get("__name__", "")


def origin(error: BaseException) -> TracebackType | None:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place


def command(arguments: list) -> Ran:
    """Run `holovid` with arguments, in this process. Raises `CommandRefused` where it ends with status 2."""
    from holovid.cli import app

    return run_command("holovid", lambda: app(prog_name="holovid"), arguments)


def train(arguments: list) -> Ran:
    """Run `examples/train.py` with arguments, in this process; it ends with status 1 where it refuses."""
    script = str(EXAMPLES / "train.py")
    return run_command(script, lambda: runpy.run_path(script, run_name="__main__"), arguments, refusals=(1, 2))


def run_command(name: str, run: Callable[[], Any], arguments: list, refusals: tuple[int, ...] = (2,)) -> Ran:
    sys.argv = [name, *map(str, arguments)]
    before = os.fstat(1).st_size, os.fstat(2).st_size
    status = 0
    try:
        run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    sys.stdout.flush(), sys.stderr.flush()
    out, err = (os.pread(number, 2**20, start).decode() for number, start in zip((1, 2), before, strict=True))
    if "Traceback" in err:
        raise Fault(f"{name} shows a traceback: {err[-1500:]}")
    if status in refusals and not err.strip() and is_usage(out):
        raise CommandRefused(f"{name} shows its help")
    if status in refusals and is_usage(err):
        raise CommandRefused(" ".join(err.split())[-300:])
    lines = [line for line in err.strip().splitlines() if not PROGRESS.match(line)]
    if status in refusals and len(lines) == 1:
        raise CommandRefused(lines[0])
    if status in refusals:
        raise Fault(f"{name} complains in other than one line: {err!r}")
    return Ran(status, out, err)


def is_usage(text: str) -> bool:
    """Whether this is how the parser of arguments says that it does not understand them."""
    return text.lstrip().lower().startswith("usage:")
