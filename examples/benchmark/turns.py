"""Rounds in which a model, the limit and a peer take turns, and what the ratios within each round tell.

A machine that others use too is slow for a second and fast for the next one. Seconds of one model and of another are
then of different machines, but those of neighbours in time are of the same. So each round measures the limit, the
model, the limit again, and the peer; a ratio is one of a round, and the median of all rounds counts. It is told with
the interval in which the true median lies (95 %, by ranks, whatever the noise looks like). Rounds go on until that
interval is `WIDTH` wide or less, or until there were `MOST` of them or `LONG` seconds.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from limit import CUDA_WARM, Limit, spread, stopwatch

ROUNDS, MOST = 11, 33
WIDTH = 0.03  # of a ratio
LONG = 120.0  # seconds that a row may take
CONFIDENCE = 0.95
Call = Callable[[], Any]


@dataclass
class Turns:
    """Rounds of something that takes `gflop` 10^9 operations: its `seconds`, and the limits before and after it.

    `peer_seconds` are those of the peer, which takes `peer_gflop`; none without a peer.
    """

    gflop: float
    peer_gflop: float = 0.0
    seconds: list[float] = field(default_factory=list)
    limits: list[tuple[float, float]] = field(default_factory=list)
    peer_seconds: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Of each round: the rate over the mean of the limits around it."""
        pairs = zip(self.seconds, self.limits, strict=True)
        return [self.gflop / seconds / statistics.mean(around) for seconds, around in pairs]

    @property
    def over_peer(self) -> list[float]:
        """Of each round: the rate over that of the peer; of the same work that is the peer's time over ours."""
        pairs = zip(self.seconds, self.peer_seconds, strict=True)
        return [self.gflop / own / (self.peer_gflop / other) for own, other in pairs] if self.peer_seconds else []

    @property
    def fastest(self) -> float:
        """The best rate over the best limit, whenever they were."""
        return self.gflop / min(self.seconds) / max(limit for around in self.limits for limit in around)

    def row(self) -> dict[str, Any]:
        """The fields of a row."""
        found = asdict(self) | {"ratios": self.ratios, "fastest": self.fastest, "interval": interval_of(self.ratios)}
        if self.peer_seconds:
            found |= {"over_peer": self.over_peer, "peer_interval": interval_of(self.over_peer)}
        return found


def interval_of(values: Sequence[float]) -> tuple[float, float]:
    """Where the median lies, of which `values` are a sample: between two of them, with `CONFIDENCE` or more.

    Half of all values lie below the median, so how many of n do is as n coins fall. Of five or fewer it is all that is
    known that the median lies among them.

    >>> interval_of([float(number) for number in range(1, 12)])
    (2.0, 10.0)
    """
    ordered, count = sorted(values), len(values)
    rank, outside = 0, math.comb(count, 0) / 2**count
    while outside <= (1 - CONFIDENCE) / 2:
        rank += 1
        outside += math.comb(count, rank) / 2**count
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[count - rank]


def width_of(values: Sequence[float]) -> float:
    low, high = interval_of(values)
    return high - low


def take_turns(
    call: Call,
    gflop: float,
    limit: Limit,
    peer: Call | None = None,
    peer_gflop: float = 0.0,
    repeat: int = ROUNDS,
    most: int = MOST,
    patience: float = float("inf"),
) -> dict[str, Any]:
    """Rounds of a call, after one that warms up. Returns the fields of a row.

    Args:
        call: what is measured, which takes `gflop` 10^9 operations.
        limit: of the device and type that it runs with.
        peer, peer_gflop: what takes turns with it.
        repeat: rounds at least.
        most: rounds at most.
        patience: when half the limit's rate would take longer than so many seconds, nothing is run, and the row says
            so.
    """
    about = {"device": limit.device, "dtype": limit.dtype}
    expected = 2 * gflop / limit()
    if expected > patience:
        return about | {"outcome": f"left out: about {max(1, round(expected / 60))} minutes"}
    for each in (call, peer):
        for _ in range(CUDA_WARM if limit.device == "cuda" else 1):
            if each is not None:
                each()
    turns = Turns(gflop, peer_gflop)
    begin = time.monotonic()
    while not turns.seconds or (time.monotonic() - begin < LONG and goes_on(turns, repeat, most)):
        before, seconds, after = limit(), stopwatch(call, limit.device), limit()
        turns.seconds.append(seconds)
        turns.limits.append((before, after))
        if peer is not None:
            turns.peer_seconds.append(stopwatch(peer, limit.device))
    return about | turns.row()


def goes_on(turns: Turns, repeat: int, most: int) -> bool:
    """Whether a further round tells more: there are few yet, or what they tell is still wide."""
    rounds = len(turns.seconds)
    if rounds < repeat or rounds >= most:
        return rounds < repeat
    return any(width_of(values) > WIDTH for values in (turns.ratios, turns.over_peer) if values)


def told(values: Sequence[float], interval: Sequence[float]) -> str:
    """ "0.91 (0.90 to 0.92)": the median and its interval."""
    return spread([statistics.median(values)]) + f" ({interval[0]:.2f} to {interval[1]:.2f})"


def outcome(row: dict[str, Any]) -> str:
    """What a row came to, for people. Seconds mean something on a known GPU only."""
    if "outcome" in row:
        return row["outcome"]
    if len(row["ratios"]) == 1:
        return f"{row['ratios'][0]:.2f}, once"
    clock = f", {1000 * statistics.median(row['seconds']):.1f} ms" if row["device"] == "cuda" else ""
    wide = "" if row["interval"][1] - row["interval"][0] <= WIDTH else ", stayed wide"
    return f"{told(row['ratios'], row['interval'])}{clock}, {len(row['ratios'])} rounds{wide}"
