"""Any data set of torch for the keys of an `EpochSampler`: a list, a `Subset`, one that somebody wrote.

`ClipDataset` takes such keys itself, because what it draws depends on the epoch.
"""

from bisect import bisect_right
from typing import Any

import torch
from torch.utils.data import ConcatDataset, Subset

from holovid.data.dataset import Key, epoch_and_index, seeded


class RowsByEpoch(torch.utils.data.Dataset):
    """Rows of a data set that is indexed by numbers, for keys (epoch, index).

    torch's `Subset` and `ConcatDataset` of a `ClipDataset` behave as that: what a clip draws depends on (seed, epoch,
    clip), and the clips of a batch are mixed if it has a `mixing`. In other data sets what a row draws from torch's
    generator depends on (`seed`, epoch, index). Plain numbers are passed on.

    Args:
        rows: has `__len__` and `__getitem__`; one with `takes_epochs = True` gets (epoch, index).
        seed: see above.
    """

    def __init__(self, rows: Any, seed: int = 0):
        self.rows, self.seed = rows, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> Any:
        epoch, index = epoch_and_index(key)
        rows, place = row_within(self.rows, index)
        if epoch is None:
            return rows[place]
        if getattr(rows, "takes_epochs", False):
            return rows[epoch, place]
        with seeded(self.seed, epoch, index):
            return rows[place]

    def __getitems__(self, keys: list[Key]) -> list[Any]:
        together: dict[int, tuple[Any, list[Key]]] = {}  # of those that read whole batches
        found = []
        for key in keys:
            epoch, index = epoch_and_index(key)
            rows, place = row_within(self.rows, index)
            if getattr(rows, "takes_epochs", False) and hasattr(rows, "__getitems__"):
                together.setdefault(id(rows), (rows, []))[1].append(place if epoch is None else (epoch, place))
            else:
                found.append(self[key])
        return found + [row for rows, places in together.values() for row in rows.__getitems__(places)]


def row_within(rows: Any, index: int) -> tuple[Any, int]:
    """The data set inside torch's wrappers that has this row, and its number there.

    >>> row_within(Subset(ConcatDataset(["ab", "cde"]), [4, 0, 2]), 0)
    ('cde', 2)
    """
    while type(rows) in (Subset, ConcatDataset):  # classes made of these may do more
        if type(rows) is Subset:
            rows, index = rows.dataset, int(rows.indices[index])
        else:
            part = bisect_right(rows.cumulative_sizes, index)
            rows, index = rows.datasets[part], index - (rows.cumulative_sizes[part - 1] if part else 0)
    return rows, index


__all__ = ["RowsByEpoch"]
