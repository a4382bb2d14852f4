"""Windows of Video Swin: which tokens share one, what is kept of them, and where."""

import pytest
import torch
from tiny_video_swin import clips, tiny
from torch._subclasses.fake_tensor import FakeTensorMode

from holovid.modeling import layers_video_swin as layers
from holovid.modeling.layers_video_swin import APART, Windows, relative_positions

CPU = torch.device("cpu")
GRIDS = [
    ((4, 6, 6), (2, 3, 3), (1, 1, 1)), ((5, 9, 11), (2, 3, 3), (1, 1, 1)), ((4, 8, 6), (8, 7, 7), (4, 3, 3)),
    ((3, 2, 2), (2, 2, 2), (0, 0, 0)), ((7, 5, 4), (3, 7, 2), (1, 3, 1)), ((1, 1, 1), (8, 7, 7), (4, 3, 3)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(layers, "KEPT", {})


@pytest.mark.parametrize(("size", "window", "shift"), GRIDS)
def test_join_undoes_split(size, window, shift):
    windows = Windows(size, window, shift, CPU)
    tokens = torch.randn(3, *size, 5, dtype=torch.double, requires_grad=True)
    split = windows.split(tokens)
    assert split.shape == (windows.num_windows, 3, windows.num_tokens, 5)
    assert torch.equal(windows.join(split), tokens)
    factors = torch.randn_like(split)
    (gradient,) = torch.autograd.grad((split * factors).sum(), tokens)
    torch.testing.assert_close(gradient, windows.join(factors))


@pytest.mark.parametrize(("size", "window", "shift"), GRIDS)
def test_masks_part_the_ends_of_the_clip(size, window, shift):
    """Tokens of a window may see one another if they are neighbours in the clip, as its places say."""
    windows = Windows(size, window, shift, CPU)
    places = torch.stack(torch.meshgrid(*(torch.arange(1.0, side + 1) for side in size), indexing="ij"), -1)[None]
    split = windows.split(places)[:, 0]
    assert [kind.start for kind in windows.kinds[1:]] == [kind.stop for kind in windows.kinds[:-1]]
    assert windows.kinds[0].start == 0 and windows.kinds[-1].stop == windows.num_windows
    for kind in windows.kinds:
        for inside in split[kind.start : kind.stop]:
            real = (inside > 0).all(-1)  # what fills up is zero, and its place is not told
            far = (inside[:, None] - inside[None]).abs() >= torch.tensor(windows.window)
            far = far.any(-1)[real][:, real]
            added = torch.zeros(len(inside), len(inside)) if kind.mask is None else kind.mask
            assert torch.equal(added[real][:, real] == APART, far)


def test_numbers_of_distances():
    window = (2, 3, 4)
    index = relative_positions(window, 24, CPU)
    for first, second in ((0, 0), (5, 17), (23, 0), (0, 23)):
        a, b = (torch.tensor([n // 12, n // 4 % 3, n % 4]) for n in (first, second))
        time, height, width = (a - b + torch.tensor([1, 2, 3])).tolist()
        assert index[first, second] == (time * 5 + height) * 7 + width
    # of a window that is smaller than the configured one, the first rows: as released
    assert torch.equal(relative_positions(window, 10, CPU), index[:10, :10])


@torch.no_grad()
def test_masks_are_made_once_for_each_size(monkeypatch):
    made = []
    arrange = Windows._arrange
    monkeypatch.setattr(Windows, "_arrange", lambda self, device: (made.append(self.size), arrange(self, device)))
    model = tiny()
    for _ in range(3):
        model(clips(model.config))
    assert len(made) == len(set(made)) == 2  # stages
    model(torch.randn(1, 5, 3, 64, 64))
    assert len(made) == len(set(made)) == 4
    kept = len(layers.KEPT)
    assert kept == len({key[1:] for key in layers.KEPT})
    monkeypatch.setattr(layers, "MOST_KEPT", 3)
    model(torch.randn(1, 5, 3, 40, 24))
    assert len(layers.KEPT) == 3


def test_what_is_kept_serves_training_after_inference():
    model = tiny()
    batch = clips(model.config)
    with torch.inference_mode():
        model(batch)
    model.train()(batch, labels=torch.tensor([0, 1])).loss.backward()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        model(torch.randn(1, 3, 3, 50, 50))
    kept = [
        value for made in layers.KEPT.values() for value in (vars(made).values() if isinstance(made, Windows) else ())
    ]
    assert all(type(value) is torch.Tensor for value in kept if isinstance(value, torch.Tensor))
    assert model(torch.randn(1, 3, 3, 50, 50)).logits.isfinite().all()


@torch.no_grad()
def test_float64_is_computed_in_float64():
    model = tiny().double()
    inputs = clips(model.config).double()
    with torch.no_grad():
        want = model(inputs).logits
    torch.testing.assert_close(model(inputs).logits, want, rtol=1e-12, atol=1e-12)


def test_kept_biases_follow_the_weights():
    """Nothing of the weights is kept: changed in whatever way, the next pass sees it."""
    model = tiny()
    batch = clips(model.config)
    before = model(batch).logits
    table = model.video_swin.stages[0].layers[1].attention.relative_position_bias_table
    table.data.mul_(3.0)
    assert (model(batch).logits - before).abs().max() > 1e-4
    model.double()
    assert model(batch).logits.dtype == torch.double
