"""How fast does this machine multiply matrices?   python examples/benchmark/limit.py

What every other question of this folder is a ratio to. The limit is that of `torch.mm(rows, weight.T)`, with the
weight as `nn.Linear` keeps it and into memory that is there already, of the type and the threads of the model; on an
x86 CPU in float32 also that of oneDNN, where torch takes MKL. Its shapes are those of a ViT-B's two largest products
and of a large square; the fastest of them all counts, and is kept up for a third of a second, as a model has to keep
its rate up too. No model can be faster but by computing less.

A machine's speed drifts, so whatever is measured takes turns with the limit: see turns.py.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from reporting import parse, report
from torch import Tensor

from holovid.modeling.linear import HAS_ONEDNN, product

PRODUCTS = {  # device -> (rows, inner, columns): a clip of 8 frames is 8 * 197 rows
    "cpu": ((1576, 768, 3072), (1576, 3072, 768), (2048, 2048, 2048)),
    "cuda": ((50_432, 768, 3072), (50_432, 3072, 768), (8192, 8192, 8192)),
}
KEPT_UP = 0.3  # seconds that a product is repeated
QUICK: dict[str, Any] = {"products": ((64, 64, 64),), "kept_up": 0.0}  # where only seeing it run matters
CUDA_WARM = 4  # calls in which kernels are compiled and chosen, and CUDA graphs recorded
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TORCH, ONEDNN = "torch.mm", "oneDNN"
NO_CUDA, NO_TIME = "not run: no CUDA", "left out: no time"
NO_HALF = "not run: this CPU has no products of 16 bits"


def stopwatch(call: Callable[[], Any], device: str = "cpu") -> float:
    """Seconds that a call takes; on a GPU until its last kernel is done, by the GPU's own clock."""
    if device == "cpu":
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    start_event, end_event = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start_event.record()
    call()
    end_event.record()
    torch.cuda.synchronize()
    return start_event.elapsed_time(end_event) / 1000


class Limit:
    """The matrix-product rate of a device ("cpu" or "cuda") for numbers of `dtype` ("fp32" or "bf16")."""

    def __init__(
        self,
        device: str = "cpu",
        dtype: str = "fp32",
        products: tuple[tuple[int, int, int], ...] = (),
        kept_up: float = KEPT_UP,
    ):
        self.device, self.dtype, self.kept_up = device, dtype, kept_up
        libraries = [TORCH, ONEDNN] if (device, dtype, HAS_ONEDNN) == ("cpu", "fp32", True) else [TORCH]
        shapes = products or PRODUCTS[device]
        self.products = shapes * len(libraries)
        self.libraries = [library for library in libraries for _ in shapes]
        options: dict[str, Any] = {"device": device, "dtype": DTYPES[dtype]}
        self._operands = [
            (torch.randn(rows, inner, **options), torch.randn(columns, inner, **options).T)
            for rows, inner, columns in self.products
        ]
        self._outputs = [torch.empty(rows, columns, **options) for rows, _, columns in self.products]
        for _ in range(2):  # first, libraries choose and load their kernels
            rates = self.rates()
        self.fastest = rates.index(max(rates))

    def rate(self, index: int) -> float:
        """10^9 operations a second, of a product that is repeated for `kept_up` seconds."""
        (rows, inner, columns), (left, right) = self.products[index], self._operands[index]
        times: list[float] = []
        while not times or sum(times) < self.kept_up:
            times.append(stopwatch(lambda: self._multiply(index, left, right), self.device))
        return 2e-9 * rows * inner * columns * len(times) / sum(times)

    def _multiply(self, index: int, left: Tensor, right: Tensor) -> Tensor:
        if self.libraries[index] == ONEDNN:
            return product(left, right.T, None)
        return torch.mm(left, right, out=self._outputs[index])

    def rates(self) -> list[float]:
        """Of each product."""
        return [self.rate(index) for index in range(len(self.products))]

    def __call__(self) -> float:
        """10^9 operations a second, of the product that was fastest at first."""
        return self.rate(self.fastest)


def spread(values: list[float], digits: int = 2) -> str:
    """ "0.86 (0.85 to 0.88)": the median and the range."""
    statistic = statistics.median(values), min(values), max(values)
    middle, lowest, highest = (f"{value:.{digits}f}" for value in statistic)
    return middle if len(values) == 1 else f"{middle} ({lowest} to {highest})"


def devices() -> list[str]:
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    rows: list[dict[str, Any]] = []
    for device in devices():
        for dtype in DTYPES:
            limit = Limit(device, dtype, **QUICK if args.quick else {})
            measured = (limit.rates() for _ in range(args.repeat))
            for shape, library, *rates in zip(limit.products, limit.libraries, *measured, strict=True):
                about = {"device": device, "dtype": dtype, "product": shape, "library": library}
                rows.append({**about, "gflop_a_second": rates})
    for row in rows:
        first = next(other for other in rows if other["device"] == row["device"])
        own, fastest = (statistics.median(each["gflop_a_second"]) for each in (row, first))
        row["ratio"] = own / fastest
    cells = [
        [
            f"{row['device']} {row['dtype']}",
            " x ".join(map(str, row["product"])),
            row["library"],
            f"{row['ratio']:.2f}",
            spread([rate / 1000 for rate in row["gflop_a_second"]]) if row["device"] == "cuda" else "",
        ]
        for row in rows
    ]
    cells += [] if torch.cuda.is_available() else [["cuda fp32, bf16", "", "", NO_CUDA, ""]]
    report(
        "limit", __doc__, args, rows,
        ["device and type", "rows x inner x columns", "by", "rate over that of the device's first row", "TFLOP/s"],
        cells,
    )  # fmt: skip


if __name__ == "__main__":
    main()
