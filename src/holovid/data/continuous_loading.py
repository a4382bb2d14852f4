"""A `DataLoader` that goes on reading between epochs.

    loader = ContinuousDataLoader(dataset, 8, sampler=EpochSampler(len(dataset)), num_workers=4)
    for epoch in range(10):
        loader.set_epoch(epoch)
        for batch in loader:
            ...

torch's workers have nothing to read from the last batches of an epoch until the first of the next is asked for, and
that is waited for: with few clips a tenth of the time. Workers that are not persistent also start anew in each epoch,
and open each file again.
"""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from holovid.data.dataset import EpochSampler

OPTIONS = (
    "num_workers", "collate_fn", "pin_memory", "timeout", "worker_init_fn", "multiprocessing_context", "generator",
    "prefetch_factor", "persistent_workers", "in_order",
)  # fmt: skip


class ContinuousDataLoader(DataLoader):
    """A `DataLoader` whose workers read the next epoch while the last batches of this one are used.

    Batches are those of a `DataLoader`, in its order. An epoch other than the next one, and an epoch after one that
    was left before its end, start with new workers, and so does an epoch while another is read.

    Args:
        options: as of torch's `DataLoader`. Clips are drawn by an `EpochSampler`, the sampler or that of the batches.
        epochs: how many there are; nothing is read after the last. `None`: the first batches of one more are read.

    Raises `ValueError` for another sampler.
    """

    def __init__(self, *options: Any, epochs: int | None = None, **named_options: Any):
        super().__init__(*options, **named_options)
        self.epochs = epochs
        sampler = find_sampler(self.batch_sampler)
        if sampler is None:
            found = type(getattr(self.batch_sampler, "sampler", None)).__name__
            raise ValueError(f"clips must be drawn by an EpochSampler, got {found}")
        self._sampler = sampler
        self._ahead: Iterator[Any] | None = None
        self._next_epoch = 0

    @classmethod
    def of(cls, loader: DataLoader, epochs: int | None = None) -> "ContinuousDataLoader":
        """One that gives what `loader` does. Raises `ValueError` for a sampler that is not an `EpochSampler`."""
        options = {name: getattr(loader, name) for name in OPTIONS}
        return cls(loader.dataset, batch_sampler=loader.batch_sampler, epochs=epochs, **options)

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be of this epoch; see `EpochSampler`."""
        self._sampler.set_epoch(epoch)

    def close(self) -> None:
        """Stop the workers. The next iteration starts others."""
        self._ahead = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        if not self.num_workers:
            yield from super().__iter__()
            return
        epoch = self._sampler.epoch
        batches, self._ahead = self._ahead, None
        # Drawn in each epoch, as torch's loaders do: dropout after it must not depend on how clips are read.
        seed = int(torch.empty((), dtype=torch.int64).random_(generator=self.generator))
        if batches is None or epoch != self._next_epoch:
            batches = self._from(epoch, seed)
        yield from itertools.islice(batches, len(self))
        if self.epochs is None or epoch + 1 < self.epochs:
            self._ahead, self._next_epoch = batches, epoch + 1

    def _from(self, epoch: int, seed: int) -> Iterator[Any]:
        """Batches of this epoch and all later ones, from new workers."""
        options = {name: getattr(self, name) for name in OPTIONS} | {"generator": torch.Generator().manual_seed(seed)}
        batches = EpochAfterEpoch(copy.deepcopy(self.batch_sampler), epoch, self.epochs)
        return iter(DataLoader(self.dataset, batch_sampler=batches, **options))


class EpochAfterEpoch(Sampler):
    """Batches of a sampler, epoch after epoch, from `first` on and before `end` (`None`: for ever)."""

    def __init__(self, batches: Any, first: int, end: int | None):
        self.batches, self.first, self.end = batches, first, end

    def __iter__(self) -> Iterator[Any]:
        sampler = find_sampler(self.batches)
        assert sampler is not None  # the loader has looked
        for epoch in itertools.count(self.first):
            if self.end is not None and epoch >= self.end:
                return
            sampler.set_epoch(epoch)
            yield from self.batches


def find_sampler(batches: Any) -> EpochSampler | None:
    """The sampler of clips within samplers of batches, if it is of this kind."""
    while hasattr(batches, "batch_sampler"):  # those of accelerate share out the batches of another
        batches = batches.batch_sampler
    sampler = getattr(batches, "sampler", None)
    return sampler if isinstance(sampler, EpochSampler) else None


__all__ = ["ContinuousDataLoader", "find_sampler"]
