"""Loaders that read on between epochs: batches of a `DataLoader`, by the same workers, before they are asked for."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

from holovid.data import ContinuousDataLoader, EpochSampler

CLIPS, EPOCHS = 7, 4


class Keys(Dataset):
    """Gives each key that it is asked for, and who was asked, and notes it in a file."""

    def __init__(self, notes: Path):
        self.notes = notes

    def __len__(self):
        return CLIPS

    def __getitem__(self, key):
        with open(self.notes, "a") as file:
            file.write(f"{key[0]}\n")
        return torch.tensor([*key, os.getpid()])

    def epochs_read(self) -> set[int]:
        return set(map(int, self.notes.read_text().split())) if self.notes.exists() else set()


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path / "notes.txt")


def continuous(keys, workers=2, epochs=None, batch_size=2, **options) -> ContinuousDataLoader:
    return ContinuousDataLoader(
        keys, batch_size, sampler=EpochSampler(CLIPS, seed=5), num_workers=workers, epochs=epochs, **options
    )


def batches_of(loader, epoch: int) -> list:
    loader.set_epoch(epoch)
    return [batch[:, :2].tolist() for batch in loader]


def expected(epoch: int, drop_last=False) -> list:
    """What torch's loader gives."""
    sampler = EpochSampler(CLIPS, seed=5)
    sampler.set_epoch(epoch)
    return [[list(key) for key in batch] for batch in BatchSampler(sampler, 2, drop_last)]


def until(condition) -> bool:
    """Whether it becomes true within some seconds."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(condition())


@pytest.mark.parametrize(("workers", "drop_last"), [(0, False), (2, False), (2, True), (1, False)])
def test_batches_are_those_of_a_data_loader_epoch_after_epoch(keys, workers, drop_last):
    loader = continuous(keys, workers, drop_last=drop_last)
    for epoch in range(EPOCHS):
        assert batches_of(loader, epoch) == expected(epoch, drop_last)
    assert len({str(expected(epoch)) for epoch in range(EPOCHS)}) == EPOCHS  # else this test would see nothing


def test_the_next_epoch_is_read_by_the_same_workers_before_it_is_asked_for(keys):
    loader, workers = continuous(keys), []
    for epoch in range(3):
        loader.set_epoch(epoch)
        workers.append({int(number) for batch in loader for number in batch[:, 2]})
        assert until(lambda after=epoch + 1: after in keys.epochs_read())
    assert workers[0] == workers[1] == workers[2] and len(workers[0]) == 2


def test_nothing_is_read_after_the_last_epoch_and_its_workers_end(keys):
    loader = continuous(keys, epochs=2)
    for epoch in range(2):
        batches_of(loader, epoch)
    assert until(lambda: not multiprocessing.active_children())
    assert keys.epochs_read() == {0, 1}


def test_close_ends_the_workers_and_the_loader_can_be_used_again(keys):
    loader = continuous(keys)
    batches_of(loader, 0)
    assert multiprocessing.active_children()
    loader.close()
    assert until(lambda: not multiprocessing.active_children())
    assert batches_of(loader, 1) == expected(1)


@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_any_epoch_can_follow_and_so_it_can_after_one_that_was_left(keys, epoch):
    loader = continuous(keys)
    batches_of(loader, 0)
    assert batches_of(loader, epoch) == expected(epoch)
    loader.set_epoch(1)
    next(iter(loader))
    assert batches_of(loader, epoch) == expected(epoch)


def test_two_iterations_at_once_do_not_disturb_each_other(keys):
    loader = continuous(keys)
    loader.set_epoch(1)
    both = [[first[:, :2].tolist(), second[:, :2].tolist()] for first, second in zip(loader, loader, strict=True)]
    assert both == [[batch, batch] for batch in expected(1)]


def test_what_is_drawn_after_an_epoch_does_not_depend_on_how_it_is_read(keys):
    def drawn(kind, workers: int) -> list[int]:
        loader = kind(keys, 2, sampler=EpochSampler(CLIPS), num_workers=workers)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return [len(list(loader)) and int(torch.randint(1000, ())) for _ in range(3)]

    alone = drawn(DataLoader, 0)
    assert drawn(ContinuousDataLoader, 0) == drawn(ContinuousDataLoader, 1) == drawn(DataLoader, 1) == alone
    assert len(set(alone)) == 3


def test_batches_shared_among_processes(keys):
    def shared(seed=5):
        batches = BatchSampler(EpochSampler(CLIPS, seed=seed), 2, drop_last=False)
        return BatchSamplerShard(batches, num_processes=2, process_index=1)

    loader = ContinuousDataLoader.of(DataLoader(keys, batch_sampler=shared(), num_workers=1))
    plain = DataLoader(keys, batch_sampler=shared())
    for epoch in range(3):
        plain.batch_sampler.batch_sampler.sampler.set_epoch(epoch)
        assert batches_of(loader, epoch) == [batch[:, :2].tolist() for batch in plain]


def test_an_error_of_a_worker_is_raised_and_does_not_stay(keys):
    class Broken(Keys):
        def __getitem__(self, key):
            if key[0] == 1:
                raise ValueError("clip 3 cannot be read")
            return super().__getitem__(key)

    loader = continuous(Broken(keys.notes), workers=1)
    assert batches_of(loader, 0) == expected(0)
    with pytest.raises(ValueError, match="clip 3 cannot be read"):
        batches_of(loader, 1)
    assert batches_of(loader, 2) == expected(2)


def test_clips_of_another_sampler_are_refused(keys):
    with pytest.raises(ValueError, match="must be drawn by an EpochSampler, got RandomSampler"):
        ContinuousDataLoader(keys, 2, sampler=RandomSampler(keys))
