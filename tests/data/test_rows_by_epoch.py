"""Data sets that know nothing of epochs, for the keys of an `EpochSampler`; and what wraps those that do."""

import torch
from clips import write_clip
from datasets import ClassLabel, Dataset, Features, Video
from torch.utils.data import ConcatDataset, DataLoader, Subset

from holovid import HolovidVideoProcessor
from holovid.data import ClipDataset, ContinuousDataLoader, EpochSampler
from holovid.data.mixing import ClipMixing
from holovid.data.rows_by_epoch import RowsByEpoch


class Drawn(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.tensor([index, int(torch.randint(10**6, ()))])


def test_what_a_row_draws_depends_on_seed_epoch_and_index():
    rows = RowsByEpoch(Drawn(), seed=3)
    torch.manual_seed(0)
    first = [rows[0, 2].tolist(), rows[1, 2].tolist(), RowsByEpoch(Drawn(), seed=4)[0, 2].tolist()]
    torch.manual_seed(1)
    assert [rows[0, 2].tolist(), rows[1, 2].tolist(), RowsByEpoch(Drawn(), seed=4)[0, 2].tolist()] == first
    assert len({drawn for _, drawn in first}) == 3 and {index for index, _ in first} == {2}
    assert rows[3][0] == 3 and len(rows) == 4


def test_a_loader_reads_them_with_workers():
    def drawn(workers: int) -> list:
        loader = ContinuousDataLoader(RowsByEpoch(Drawn()), 3, sampler=EpochSampler(4), num_workers=workers)
        return [batch.tolist() for batch in loader]

    assert drawn(0) == drawn(1)


def test_parts_of_sets_of_clips_are_read_as_these_are(tmp_path):
    for number in range(4):
        write_clip(tmp_path / f"{number}.mp4", frames=8)
    kinds = Features({"video": Video(decode=False), "label": ClassLabel(names=["a", "b"])})
    videos = [{"path": str(tmp_path / f"{number}.mp4"), "bytes": None} for number in range(4)]
    rows = Dataset.from_dict({"video": videos, "label": [0, 1, 0, 1]}, kinds)
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=2)
    options = {"mixing": ClipMixing({"labels": 2}, mixup_alpha=0.8), "do_random_sampling": True}
    clips = ClipDataset(rows, processor, **options)
    part, both = RowsByEpoch(Subset(clips, [3, 1, 2])), RowsByEpoch(ConcatDataset([clips, Subset(clips, [2, 3])]))

    def same(found, expected):
        return all(
            torch.equal(one[name], other[name]) for one, other in zip(found, expected, strict=True) for name in one
        )

    assert same(part.__getitems__([(5, 0), (5, 2)]), clips.__getitems__([(5, 3), (5, 2)]))
    assert same(both.__getitems__([(5, 1), (5, 5), (5, 4)]), clips.__getitems__([(5, 1), (5, 3), (5, 2)]))
    assert same([part[5, 0]], [clips[5, 3]])
    (batch,) = DataLoader(both, batch_size=3, sampler=[(0, 0), (0, 4), (0, 5)])
    assert batch["labels"].shape == (3, 2)  # mixed
