"""Videos that come as frames: the same input whatever holds them, and an error where numbers cannot be colours."""

import numpy as np
import PIL.Image
import pytest
import torch
from log_messages import messages_of

from holovid import HolovidProcessor, HolovidVideoProcessor, XViTConfig
from holovid.processing.given_frames import logger

SMALL = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}, "num_frames": 4}
BYTES = np.random.default_rng(0).integers(0, 256, (6, 24, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def processor() -> HolovidVideoProcessor:
    return HolovidVideoProcessor(**SMALL)


def pixels(processor, videos, **options) -> torch.Tensor:
    return processor(videos, return_tensors="pt", **options)["pixel_values_videos"]


@pytest.fixture
def said():
    """What the log says; each warning once anew."""
    with messages_of(logger) as records:
        yield records


def every_entry(video: np.ndarray) -> dict[str, object]:
    """The ways to give the same frames."""
    return {
        "array": video,
        "batch": video[None],
        "list of arrays": list(video),
        "channels first": np.ascontiguousarray(video.transpose(0, 3, 1, 2)),
        "batch in a list": [video],
        "other order of bytes": video.astype(video.dtype.newbyteorder()),
    }


FLOATS = [np.float16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", [*FLOATS, np.int8, torch.bfloat16], ids=str)
def test_numbers_in_0_to_255_are_what_bytes_are(processor, dtype):
    levels = BYTES // 2 if dtype is np.int8 else BYTES
    if dtype is torch.bfloat16:
        levels = BYTES // 2 * 2 if BYTES.max() < 128 else (BYTES // 8) * 8  # 8 bits of precision
        given = torch.from_numpy(levels).to(dtype)
        assert torch.equal(pixels(processor, given), pixels(processor, levels))
        return
    for given in every_entry(levels.astype(dtype)).values():
        assert torch.equal(pixels(processor, given), pixels(processor, levels))


UNIT = (BYTES / 255).astype(np.float32)
NORMALISED = (UNIT - 0.5) / 0.5
SOMEWHERE = BYTES % 200 == 7
NOT_COLOURS = {
    "0..1": (UNIT, "do_rescale=False"),
    "0..1, half": (UNIT.astype(np.float16), "do_rescale=False"),
    "0..0.1": (UNIT / 10, "do_rescale=False"),
    "normalised": (NORMALISED, "do_rescale=False and do_normalize=False"),
    "centred": (BYTES.astype(np.float32) - 128, "do_rescale=False and do_normalize=False"),
    "signed bytes": (BYTES.view(np.int8), "not colours"),
    "above 255": (BYTES.astype(np.float32) * 257, "pixels must be in 0..255"),
    "uint16": (BYTES.astype(np.uint16) * 257, "got uint16"),
    "int16": (BYTES.astype(np.int16), "got int16"),
    "uint32": (BYTES.astype(np.uint32), "got uint32"),
    "int64": (BYTES.astype(np.int64), "got int64"),
    "bool": (BYTES > 99, "got bool"),
    "complex": (BYTES.astype(np.complex64), "got complex64"),
    "object": (BYTES.astype(object), "got object"),
    "text": (BYTES.astype(str), "got "),
    "NaN": (np.where(SOMEWHERE, np.nan, BYTES), "NaN or infinite"),
    "infinite": (np.where(SOMEWHERE, np.inf, BYTES), "NaN or infinite"),
}


@pytest.mark.parametrize("kind", NOT_COLOURS)
def test_numbers_that_are_no_colours(processor, kind):
    video, message = NOT_COLOURS[kind]
    for given in every_entry(video).values():
        with pytest.raises(ValueError, match=message):
            processor(given, do_sample_frames=False)
    if video.dtype.kind in "fiub":
        with pytest.raises(ValueError, match=message):
            processor(torch.from_numpy(np.ascontiguousarray(video)), do_sample_frames=False)
    one_of_them = HolovidProcessor(HolovidVideoProcessor(**SMALL, do_sample_frames=False))
    with pytest.raises(ValueError, match=message):
        one_of_them([BYTES, video])


def test_only_frames_that_are_shown_are_looked_at(processor):
    """A NaN in a frame that is not picked changes nothing."""
    video = BYTES.astype(np.float32)
    video[5] = np.nan
    assert torch.equal(pixels(processor, video, num_frames=2), pixels(processor, BYTES, num_frames=2))
    with pytest.raises(ValueError, match="NaN"):
        processor(video, num_frames=6)


def test_the_cure_cures(processor):
    expected = pixels(processor, BYTES)
    for options in ({"do_rescale": False}, {"rescale_factor": 1.0}):
        torch.testing.assert_close(pixels(processor, UNIT, **options), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        pixels(processor, NORMALISED, do_rescale=False, do_normalize=False), expected, rtol=0, atol=1e-5
    )
    own = HolovidVideoProcessor(**SMALL, do_rescale=False)
    torch.testing.assert_close(pixels(own, UNIT), expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="do_normalize=False"):
        own(NORMALISED)
    with pytest.raises(ValueError, match="pixels must be in 0"):
        own(BYTES * 257.0)


def test_a_constant_clip_may_be_black_or_white(processor):
    black = np.zeros(BYTES.shape, dtype=np.float32)
    assert torch.equal(pixels(processor, black), pixels(processor, black.astype(np.uint8)))
    assert pixels(processor, black + 1).unique().numel() == 1


def test_levels_that_nothing_scales_are_said(processor, said):
    for options in ({"do_rescale": False}, {"rescale_factor": 1.0}):
        said.clear()
        logger.warning_once.cache_clear()
        pixels(processor, BYTES, **options)
        assert len(said) == 1 and "do_rescale=False" in said[0]
    said.clear()
    logger.warning_once.cache_clear()
    pixels(processor, BYTES.astype(np.float32), do_rescale=False)
    assert len(said) == 1
    said.clear()
    logger.warning_once.cache_clear()
    colours_of_bytes = {"image_mean": [127.5] * 3, "image_std": [127.5] * 3, "do_rescale": False}
    torch.testing.assert_close(
        pixels(processor, BYTES, **colours_of_bytes), pixels(processor, BYTES), rtol=0, atol=1e-5
    )
    pixels(processor, BYTES, do_rescale=False, do_normalize=False)
    pixels(processor, UNIT, do_rescale=False)
    assert said == []


def test_pictures_of_more_than_8_bits(processor):
    for mode in ("I;16", "I", "F"):
        with pytest.raises(ValueError, match=f"mode '{mode}'.*mode 'L' or 'RGB'"):
            processor([PIL.Image.new(mode, (30, 24), 3)])
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"):
        assert pixels(processor, [PIL.Image.new(mode, (30, 24))], num_frames=1).shape == (1, 1, 3, 16, 16)


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ([BYTES[0], BYTES[0].astype(np.float32)], "must have one type of numbers"),
        ([PIL.Image.fromarray(BYTES[0]), UNIT[0]], "must have one type of numbers"),
        ([BYTES[0], BYTES[0, :20]], "must have one shape"),
        (BYTES[..., :2], r"1, 3 or 4 channels.* of shape \(4, 24, 30, 2\)"),
        (np.repeat(BYTES, 2, axis=-1)[..., :5], "1, 3 or 4 channels"),
        (BYTES[..., 0], r"1, 3 or 4 channels.*grey"),
        (list(BYTES[..., 0]), r"got ndarray of shape \(24, 30\)"),
        (BYTES[:, :3, :3], "first or last: pass input_data_format"),
        (BYTES[:, :, :0], "0"),
        ([PIL.Image.new("RGB", (0, 0))], "at least one pixel"),
    ],
    ids=[
        "two types", "picture and floats", "two shapes", "2 channels", "5 channels", "grey", "grey in a list",
        "either axis", "no pixels", "empty picture",
    ],
)  # fmt: skip
def test_shapes_that_are_no_frames(processor, video, message):
    with pytest.raises(ValueError, match=message):
        processor(video)


def test_layout_that_is_said(processor):
    for layout, message in (("channels_first", "the first of its three"), ("channels_last", "the last of its three")):
        wrong = BYTES if layout == "channels_first" else BYTES.transpose(0, 3, 1, 2)
        with pytest.raises(ValueError, match=message):
            processor(wrong, input_data_format=layout)
    one_row = BYTES[:, :1]
    expected = pixels(processor, one_row, input_data_format="channels_last")
    assert torch.equal(expected, pixels(processor, [PIL.Image.fromarray(frame) for frame in one_row]))
    facts = processor(one_row, input_data_format="channels_last", return_metadata=True)["video_metadata"][0]
    assert (facts.height, facts.width) == (1, 30)


def test_frames_that_ask_for_gradients(processor):
    video = torch.from_numpy(BYTES).float().requires_grad_()
    assert torch.equal(pixels(processor, video).detach(), pixels(processor, BYTES))


def test_models_processor_refuses_too():
    processor = HolovidProcessor.for_model(XViTConfig(image_size=16, num_frames=4))
    with pytest.raises(ValueError, match="do_rescale=False"):
        processor(UNIT)
    with pytest.raises(ValueError, match="do_rescale=False"):
        processor(UNIT, videos_kwargs={"num_frames": 2})
    assert processor(UNIT, do_rescale=False)["pixel_values_videos"][0].shape == (4, 3, 16, 16)
