"""The sampling recipes and HolovidVideoProcessor: against the reference's tables, by hand, and against transformers.

Golden: golden/xvit/frame_sampling.json and preprocess_test.json (outputs of the released code; README.md there).
"""

import doctest
import io
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from clips import write_clip
from golden_numbers import golden
from real_clips import real_clips  # noqa: F401 (a fixture)
from transformers import AutoVideoProcessor, VideoMAEVideoProcessor
from transformers.video_utils import VideoMetadata, default_sample_indices_fn

from holovid import HolovidVideoProcessor, XViTConfig
from holovid.processing import frame_sampling
from holovid.processing.frame_sampling import (
    checked_indices,
    dense_indices,
    sample_frame_indices,
    segment_indices,
    uniform_indices,
)
from holovid.processing.video_decoding import open_video

SMALL = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}, "num_frames": 4}


def random_video(frames: int = 9, height: int = 30, width: int = 44, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (frames, 3, height, width), generator=generator, dtype=torch.uint8)


def pixels(processor: HolovidVideoProcessor, videos, **options) -> torch.Tensor:
    return processor(videos, return_tensors="pt", **options)["pixel_values_videos"]


class TestSampling:
    @pytest.mark.parametrize("case", golden("xvit/frame_sampling.json")["kinetics"], ids=str)
    def test_dense_equals_the_reference(self, case):
        rates = {"fps": case["target_fps"], "video_fps": case["fps"]} if case["fps"] else {}
        indices = sample_frame_indices(
            case["video_length"],
            "dense",
            case["num_frames"],
            frame_stride=case["sampling_rate"],
            num_views=case["num_views"],
            **rates,
        )
        assert indices[case["view"]].tolist() == case["indices"]

    @pytest.mark.parametrize("case", golden("xvit/frame_sampling.json")["ssv2"], ids=str)
    def test_segments_equal_the_reference(self, case):
        indices = sample_frame_indices(case["video_length"], "segments", case["num_frames"], num_views=3)
        assert indices[case["view"] or 0].tolist() == case["indices"]

    def test_uniform_equals_transformers(self):
        for total in range(1, 40):
            for count in range(1, total + 1):
                expected = default_sample_indices_fn(VideoMetadata(total), num_frames=count)
                assert uniform_indices(total, count).tolist() == [expected.tolist()]
        for fps in (1, 3, 7.5, 29.97):
            expected = default_sample_indices_fn(VideoMetadata(300, fps=29.97), fps=fps)
            assert sample_frame_indices(300, "uniform", 8, fps=fps, video_fps=29.97).tolist() == [expected.tolist()]

    def test_by_hand(self):
        assert doctest.testmod(frame_sampling).attempted > 0
        assert doctest.testmod(frame_sampling).failed == 0
        # 60 fps, stride 2 at 30 fps: the window is 2 x 4 x 2 = 16 frames, linspace(0, 15, 4) = 0 5 10 15
        assert sample_frame_indices(99, "dense", 4, fps=30, video_fps=60, frame_stride=2).tolist() == [[0, 5, 10, 15]]

    @pytest.mark.parametrize("recipe", [uniform_indices, segment_indices, lambda *a, **k: dense_indices(*a, 3, **k)])
    def test_random_draws_come_from_the_generator(self, recipe):
        def draw(seed):
            return recipe(1000, 8, num_views=3, do_random_sampling=True, generator=torch.Generator().manual_seed(seed))

        assert np.array_equal(draw(1), draw(1))
        assert not np.array_equal(draw(1), draw(2))
        assert len({tuple(view) for view in draw(1)}) == 3, "each view draws for itself"
        torch.manual_seed(5)
        first = recipe(100, 8, do_random_sampling=True)
        torch.manual_seed(5)
        assert np.array_equal(first, recipe(100, 8, do_random_sampling=True))
        state = torch.get_rng_state()
        recipe(100, 8, num_views=3)
        draw(1)
        assert torch.equal(state, torch.get_rng_state()), "nothing else touches torch's default generator"

    def test_uniform_equals_the_test_rule_of_cast(self):
        """By its words: with tick = frames / 16 sort floor(tick i) and floor(tick / 2 + tick i), deal them out.

        Its training takes one uniformly random frame out of each of 16 equal parts. That is "uniform" with
        do_random_sampling, where each frame is drawn from its own part [tick i, tick (i + 1)), and which is even in
        evaluation. "segments" draws each frame for itself too, but its parts share their borders, and its evaluation
        takes middles and ends: those are XViT's.
        """
        for total in (16, 17, 31, 32, 33, 48, 100, 333):
            tick = Fraction(total, 16)
            places = sorted(math.floor(tick * i + shift) for i in range(16) for shift in (0, tick / 2))
            assert sample_frame_indices(total, "uniform", 16, num_views=2).tolist() == [places[::2], places[1::2]]
            drawn = sample_frame_indices(total, "uniform", 16, num_views=200, do_random_sampling=True)
            for i, column in enumerate(drawn.T):
                assert math.floor(tick * i) <= column.min() <= column.max() < math.ceil(tick * (i + 1))
        # 48 frames, parts of 3: in each part, every frame is equally likely whatever is drawn from the others
        drawn = sample_frame_indices(48, "uniform", 16, num_views=9000, do_random_sampling=True) % 3
        np.testing.assert_allclose([np.bincount(column) / 9000 for column in drawn.T], 1 / 3, atol=0.02)
        np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(16), atol=0.05)

    def test_strided_by_hand(self):
        # 300 frames at stride 4 are 75: five views of 16 start at 0, 14, 29, 44 and 59 of them, floor(c 59 / 4)
        views = sample_frame_indices(300, "strided", 16, frame_stride=4, num_views=5)
        assert views[:, 0].tolist() == [0, 14 * 4, 29 * 4, 44 * 4, 59 * 4]
        assert (np.diff(views) == 4).all() and views[-1, -1] == 296
        # one view is in the middle, at 59 // 2 of them
        assert sample_frame_indices(300, "strided", 16, frame_stride=4)[0, 0] == 29 * 4
        # 10 frames at stride 4 are 0, 4 and 8
        assert sample_frame_indices(10, "strided", 5, frame_stride=4, num_views=2).tolist() == [[0, 4, 8, 8, 8]] * 2
        short = sample_frame_indices(10, "strided", 5, frame_stride=4, do_random_sampling=True)
        assert short.tolist() == [[0, 4, 8, 8, 8]]
        # 60 fps, stride 2 at 30 fps: every fourth frame
        same = sample_frame_indices(99, "strided", 4, fps=30, video_fps=60, frame_stride=2, num_views=2)
        assert same.tolist() == sample_frame_indices(99, "strided", 4, frame_stride=4, num_views=2).tolist()
        torch.manual_seed(0)
        trained = sample_frame_indices(300, "strided", 16, frame_stride=4, do_random_sampling=True)
        torch.manual_seed(0)
        assert trained.tolist() == dense_indices(300, 16, 4, do_random_sampling=True).tolist()

    def test_random_draws_reach_all_places_and_no_others(self):
        generator = torch.Generator().manual_seed(0)
        many = {"num_views": 2000, "do_random_sampling": True, "generator": generator}
        segments = segment_indices(10, 3, **many)  # borders 0 3 6 9, both ends belong to a segment
        assert [sorted(set(column)) for column in segments.T.tolist()] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
        uniform = uniform_indices(10, 4, **many)
        assert [sorted(set(column)) for column in uniform.T.tolist()] == [[0, 1, 2], [2, 3, 4], [5, 6, 7], [7, 8, 9]]
        dense = dense_indices(10, 2, 3, **many)  # the window of 6 frames starts anywhere in [0, 4)
        assert sorted({tuple(view) for view in dense.tolist()}) == [(0, 5), (1, 6), (2, 7), (3, 8)]

    def test_short_videos(self):
        assert sample_frame_indices(3, "uniform", 5).tolist() == [[0, 1, 2, 2, 2]]
        assert sample_frame_indices(3, "uniform", 5, num_views=2).tolist() == [[0, 1, 2, 2, 2]] * 2
        assert sample_frame_indices(3, "segments", 5).tolist() == [[0, 0, 1, 1, 2]]
        assert sample_frame_indices(3, "dense", 5, frame_stride=2).tolist() == [[0, 2, 2, 2, 2]]
        assert sample_frame_indices(3, "uniform", None, fps=20, video_fps=10).tolist() == [[0, 0, 1, 1, 2, 2]]
        assert sample_frame_indices(3, "uniform", None).tolist() == [[0, 1, 2]]
        for sampling, enough in (("uniform", 5), ("segments", 5), ("dense", 10), ("strided", 9)):
            assert sample_frame_indices(enough, sampling, 5, frame_stride=2, short_video="error").max() < enough
            with pytest.raises(ValueError, match=f"has {enough - 1} frames and the sampling spans {enough}"):
                sample_frame_indices(enough - 1, sampling, 5, frame_stride=2, short_video="error")

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (
                {"sampling": "random"},
                "sampling must be one of 'uniform', 'segments', 'dense', 'strided', 'spread', 'last', got 'random'",
            ),
            ({"short_video": "loop"}, "short_video must be 'repeat' or 'error', got 'loop'"),
            ({"total_num_frames": 0}, "no frames"),
            ({"num_frames": 0}, "num_frames must be at least 1, got 0"),
            ({"frame_stride": 0}, "frame_stride must be at least 1, got 0"),
            ({"num_views": 0}, "num_views must be at least 1, got 0"),
            ({"sampling": "segments", "num_views": 4}, "3 views"),
            ({"sampling": "segments", "fps": 3, "video_fps": 9}, "pass num_frames, not fps"),
            ({"sampling": "dense", "num_frames": None}, "sampling='dense' needs num_frames"),
            ({"fps": -1, "video_fps": 9}, "fps must be positive, got -1"),
            ({"fps": 0, "video_fps": 9}, "fps must be positive, got 0"),
            ({"fps": 3}, "needs the video's own rate"),
        ],
        ids=str,
    )
    def test_wrong_arguments(self, wrong, message):
        with pytest.raises(ValueError, match=message):
            sample_frame_indices(**{"total_num_frames": 9, "sampling": "uniform", "num_frames": 4} | wrong)

    def test_indices_that_are_asked_for(self):
        assert checked_indices(None, 3, "it").tolist() == [0, 1, 2]
        assert checked_indices([], 3, "it").tolist() == []
        for indices in ([0], [2], [2, 0, 0], np.array([1, 1])):
            assert checked_indices(indices, 3, "it").tolist() == list(indices)
        for indices in ([-1], [3], [0, 3], [-1, 2]):
            with pytest.raises(ValueError, match=r"it has frames 0 to 2, but .* asked for"):
                checked_indices(indices, 3, "it")


class TestPixels:
    @pytest.mark.parametrize("case", golden("xvit/preprocess_test.json")["cases"], ids=lambda c: f"{c['height']}")
    def test_equal_the_reference(self, case):
        shape = (case["frames"], case["height"], case["width"], 3)
        video = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        side = case["crop_size"]
        processor = HolovidVideoProcessor(size=side, crop_size=side, do_sample_frames=False)
        expected = case["output"]
        crops = pixels(processor, video, num_crops=3)[0]
        got = crops[case["crop_index"]].transpose(0, 1)  # the reference's layout is (C, T, H, W)
        assert list(got.shape) == expected["shape"]
        count = len(expected["first"])
        # float32 rounding: the reference normalises first and resizes then
        torch.testing.assert_close(got.flatten()[:count], torch.tensor(expected["first"]), rtol=0, atol=1e-6)
        torch.testing.assert_close(got.flatten()[-count:], torch.tensor(expected["last"]), rtol=0, atol=1e-6)
        assert got.double().abs().sum().item() == pytest.approx(expected["abs_sum"], rel=1e-6)
        assert torch.equal(pixels(processor, video)[0], crops[1]), "one crop is the centre one"

    def test_frame_by_frame(self):
        """The whole, against one frame at a time with plain torch functions."""
        video, processor = random_video(height=33, width=47), HolovidVideoProcessor(**SMALL)
        got = pixels(processor, video)[0]
        for frame, index in zip(got, [0, 2, 4, 6], strict=True):
            picture = video[index].float()[None] / 255 * 2 - 1
            picture = torch.nn.functional.interpolate(picture, (20, 28), mode="bilinear", align_corners=False)
            torch.testing.assert_close(frame, picture[0, :, 2:18, 6:22], rtol=0, atol=1e-6)

    def test_large_frames_are_resized_in_pieces(self, monkeypatch):
        video, processor = random_video(height=33, width=47), HolovidVideoProcessor(**SMALL)
        expected = pixels(processor, video)
        monkeypatch.setattr("holovid.processing.video_processing_holovid.RESIZE_AT_ONCE", 2 * video[0].numel())
        assert torch.equal(pixels(processor, video, num_frames=4), expected)

    @pytest.mark.parametrize(
        "size", [{"max_height": 13, "max_width": 13}, {"shortest_edge": 13, "longest_edge": 21}, {"shortest_edge": 17}]
    )
    def test_large_frames_of_a_file_are_resized_once(self, tmp_path, monkeypatch, size):
        """120 x 180 in 13 x 13 are 8 x 12, and those would be 8 x 13."""
        path = write_clip(tmp_path / "clip.mp4", frames=4, size=(120, 180))
        processor = HolovidVideoProcessor(num_frames=4, size=size, do_center_crop=False)
        expected = pixels(processor, path)
        monkeypatch.setattr("holovid.processing.video_processing_holovid.RESIZE_AT_ONCE", 2)
        assert torch.equal(pixels(processor, path), expected)

    @pytest.mark.parametrize("shape", [(40, 30), (30, 40), (16, 60), (60, 16)])
    def test_crops_along_the_long_side(self, shape):
        video, processor = random_video(2, *shape), HolovidVideoProcessor(**SMALL, do_sample_frames=False)
        plain = {"do_resize": False, "do_rescale": False, "do_normalize": False}
        crops = pixels(processor, video, num_crops=3, **plain)[0]
        height, width = shape
        top, left = (height - 16 + 1) // 2, (width - 16 + 1) // 2
        for crop, end in zip(crops, (0, None, 1), strict=True):
            y = top if end is None or width >= height else end * (height - 16)
            x = left if end is None or width < height else end * (width - 16)
            assert torch.equal(crop, video[:, :, y : y + 16, x : x + 16])
        assert torch.equal(pixels(processor, video, **plain)[0], crops[1])

    def test_small_frames_get_a_black_margin(self):
        processor = HolovidVideoProcessor(**SMALL, do_sample_frames=False, do_resize=False)
        video = random_video(2, 10, 13)
        crop = pixels(processor, video, do_rescale=False, do_normalize=False)[0]
        assert torch.equal(crop[:, :, 3:13, 1:14], video)
        assert crop.sum() == video.sum()

    def test_frames_as_decoded_are_not_copied(self, tmp_path):
        path = write_clip(tmp_path / "clip.mp4")
        left = dict.fromkeys(("do_resize", "do_center_crop", "do_rescale", "do_normalize"), False)
        processor = HolovidVideoProcessor(num_frames=4, **left)
        (frames,) = processor(path)["pixel_values_videos"]
        assert frames.dtype == torch.uint8 and frames.is_contiguous(memory_format=torch.channels_last)
        batch = pixels(processor, path)
        assert batch.is_contiguous() and torch.equal(batch[0], frames)
        assert torch.equal(pixels(processor, [path, path])[1], frames)
        assert pixels(processor, frames, do_sample_frames=False).data_ptr() != frames.data_ptr()
        made = HolovidVideoProcessor(**SMALL, do_sample_frames=False)
        assert torch.equal(pixels(made, frames), pixels(made, frames.contiguous()))  # resized to the same bits
        assert pixels(made, frames).is_contiguous()

    def test_views_and_crops(self):
        video, processor = random_video(40), HolovidVideoProcessor(**SMALL, sampling="dense", frame_stride=2)
        got = pixels(processor, [video, video.flip(0)], num_views=2, num_crops=3)
        assert got.shape == (2, 6, 4, 3, 16, 16)
        for view in range(2):
            frames = video[dense_indices(40, 4, 2, num_views=2)[view]]
            for crop in range(3):
                expected = pixels(processor, frames, num_crops=3, do_sample_frames=False)[0, crop]
                assert torch.equal(got[0, 3 * view + crop], expected)
        assert pixels(processor, video, num_views=2).shape == (1, 2, 4, 3, 16, 16)
        assert pixels(processor, video, num_crops=3, do_sample_frames=False).shape == (1, 3, 40, 3, 16, 16)

    @pytest.mark.parametrize("do_resize", [True, False])
    @pytest.mark.parametrize("do_center_crop", [True, False])
    @pytest.mark.parametrize("do_rescale", [True, False])
    @pytest.mark.parametrize("do_normalize", [True, False])
    def test_switches_equal_transformers(self, do_resize, do_center_crop, do_rescale, do_normalize):
        """With margins that are equal on both sides; transformers rounds when it resizes: up to a level."""
        options = {**SMALL, "do_resize": do_resize, "do_center_crop": do_center_crop, "do_rescale": do_rescale}
        options |= {"do_normalize": do_normalize, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
        video = random_video(4, 30, 46)
        ours = HolovidVideoProcessor(**options, antialias=True)(video)["pixel_values_videos"][0]
        theirs = VideoMAEVideoProcessor(**options)(video)["pixel_values"][0]
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        level = (1 / 255 if do_rescale else 1) / (0.2 if do_normalize else 1)
        rounding = level if do_resize and (do_rescale or do_normalize) else 0
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=rounding + 1e-6)

    def test_input_stays_as_it_was(self):
        video = random_video(4, 16, 16).float()
        before = video.clone()
        processor = HolovidVideoProcessor(**SMALL, do_resize=False, do_rescale=False)
        pixels(processor, video)
        assert torch.equal(video, before)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")  # 24 frames, 64 pixels high and 48 wide


@pytest.fixture(scope="module")
def decoded(clip) -> torch.Tensor:
    with open_video(clip) as file:
        return file.frames()[0]


@pytest.fixture
def processor() -> HolovidVideoProcessor:
    return HolovidVideoProcessor(**SMALL)


class TestInputs:
    def test_every_kind_of_input_gives_the_same(self, clip, decoded, processor):
        channels_last = np.ascontiguousarray(decoded.permute(0, 2, 3, 1).numpy())
        pictures = [PIL.Image.fromarray(frame) for frame in channels_last]
        read_only = channels_last.copy()
        read_only.setflags(write=False)
        expected = pixels(processor, decoded)
        assert expected.shape == (1, 4, 3, 16, 16)
        kinds = [
            clip,
            str(clip),
            clip.as_uri(),
            clip.read_bytes(),
            io.BytesIO(clip.read_bytes()),
            {"path": str(clip), "bytes": None},
            {"path": "elsewhere.mp4", "bytes": clip.read_bytes()},
            channels_last,
            read_only,
            channels_last[::-1][::-1],
            decoded.numpy(),
            decoded[None],
            channels_last[None],
            pictures,
            tuple(pictures),
            list(channels_last),
            list(decoded),
        ]
        for kind in kinds:
            assert torch.equal(pixels(processor, kind), expected)
            assert torch.equal(pixels(processor, [kind]), expected)
        assert torch.equal(pixels(processor, kinds), expected.expand(len(kinds), -1, -1, -1, -1))
        assert torch.equal(pixels(processor, [[clip, decoded], [pictures]]), expected.expand(3, -1, -1, -1, -1))

    def test_videos_of_different_size_and_length(self, clip, processor):
        videos = [random_video(9, 30, 44), clip, random_video(40, 51, 33)]
        together = pixels(processor, videos)
        assert torch.equal(together, torch.cat([pixels(processor, video) for video in videos]))
        uncropped = processor(videos, do_center_crop=False)["pixel_values_videos"]
        assert [tuple(video.shape) for video in uncropped] == [(4, 3, 20, 29), (4, 3, 26, 20), (4, 3, 30, 20)]

    def test_pictures_of_any_mode(self, processor):
        colour = PIL.Image.fromarray(random_video(1)[0].permute(1, 2, 0).numpy())
        expected = pixels(processor, [colour], num_frames=1)
        for same in (colour, [colour], np.asarray(colour), colour.convert("RGBA")):
            assert torch.equal(pixels(processor, same, num_frames=1), expected)
        for mode in ("L", "1", "P", "CMYK"):
            converted = colour.convert(mode)
            reference = pixels(processor, [converted.convert("RGB")], num_frames=1)
            assert torch.equal(pixels(processor, [converted], num_frames=1), reference)
        clear = PIL.Image.new("RGBA", colour.size, (0, 0, 0, 0))
        assert pixels(processor, [clear], num_frames=1).min() == 1, "transparency lets white through"
        grey = random_video(4)[:, :1]
        assert torch.equal(pixels(processor, grey), pixels(processor, grey.expand(-1, 3, -1, -1)))

    def test_input_data_format(self, clip, processor):
        square = random_video(3, 3, 3)  # which axis is colour cannot be seen
        for channels_first, layout in ((square, "channels_first"), (square.permute(0, 3, 1, 2), "channels_last")):
            options = {"do_resize": False, "crop_size": 3, "input_data_format": layout}
            expected = pixels(processor, square, **(options | {"input_data_format": "channels_first"}))
            given = channels_first if layout == "channels_first" else square.permute(0, 2, 3, 1)
            assert torch.equal(pixels(processor, given, **options), expected)
        assert torch.equal(pixels(processor, clip, input_data_format="channels_last"), pixels(processor, clip))

    @pytest.mark.parametrize(
        ("videos", "message"),
        [
            ([], "an empty list"),
            (3, "got int"),
            ([3], "got int"),
            (np.zeros((4, 4), dtype=np.uint8), r"got ndarray of shape \(4, 4\)"),
            (np.zeros((0, 4, 4, 3), dtype=np.uint8), r"got ndarray of shape \(0, 4, 4, 3\)"),
            ([np.zeros((4, 4, 3), dtype=np.uint8), np.zeros((5, 4, 3), dtype=np.uint8)], "must have one shape"),
            (b"no video", "the video of 8 bytes cannot be read as a video"),
        ],
        ids=["nothing", "number", "numbers", "matrix", "no frames", "uneven frames", "bytes"],
    )
    def test_wrong_videos(self, processor, videos, message):
        with pytest.raises(ValueError, match=message):
            processor(videos)

    def test_missing_file(self, processor):
        with pytest.raises(FileNotFoundError, match="missing"):
            processor("missing.mp4")

    def test_metadata(self, clip, processor):
        given = VideoMetadata(total_num_frames=9, fps=3.0, duration=3.0)
        both = processor([clip, random_video()], return_metadata=True)["video_metadata"]
        assert both[0] == VideoMetadata(24, 12.0, 48, 64, 2.0, "pyav", [0, 6, 12, 18])
        assert both[1] == VideoMetadata(9, width=44, height=30, frames_indices=[0, 2, 4, 6])
        for metadata in (given, [given], [[given]], {"total_num_frames": 9, "fps": 3.0, "duration": 3.0}):
            (used,) = processor(random_video(), return_metadata=True, video_metadata=metadata, fps=1)["video_metadata"]
            assert used.frames_indices == [0, 3, 6] and used.timestamps == [0, 1, 2]
        assert given.frames_indices is None, "what the caller passes stays as it was"
        views = processor(clip, return_metadata=True, num_views=2)["video_metadata"][0].frames_indices
        assert views == [0, 6, 12, 18, 3, 9, 15, 21]
        everything = processor(clip, return_metadata=True, do_sample_frames=False)
        assert everything["pixel_values_videos"][0].shape[0] == 24
        assert everything["video_metadata"][0].frames_indices == list(range(24))
        with pytest.raises(ValueError, match="video_metadata says 9 frames, the video has 5"):
            processor(random_video(5), video_metadata=given)
        with pytest.raises(ValueError, match="needs the video's own rate"):
            processor(random_video(), fps=2)

    def test_fetch_videos(self, clip, decoded, processor):
        frames, metadata = processor.fetch_videos(str(clip))
        assert torch.equal(frames, decoded) and metadata.total_num_frames == 24
        frames, metadata = processor.fetch_videos([str(clip), str(clip)], sample_indices_fn=lambda metadata: [5, 1, 5])
        assert len(frames) == len(metadata) == 2
        assert torch.equal(frames[1], decoded[[5, 1, 5]]) and metadata[1].frames_indices == [5, 1, 5]

    def test_generator(self, clip, processor):
        def draw(seed, **options):
            generator = torch.Generator().manual_seed(seed)
            options = {"sampling": "segments", "do_random_sampling": True, "generator": generator} | options
            return pixels(processor, [clip, random_video(40)], **options)

        assert torch.equal(draw(1), draw(1))
        assert not torch.equal(draw(1), draw(2))
        assert torch.equal(draw(1, do_random_sampling=False), draw(2, do_random_sampling=False))
        with pytest.raises(ValueError, match="generator is an argument of the call"):
            HolovidVideoProcessor(generator=torch.Generator())

    def test_short_video(self, processor):
        video = random_video(3)
        assert torch.equal(pixels(processor, video), pixels(processor, video[[0, 1, 2, 2]]))
        with pytest.raises(ValueError, match="the video has 3 frames and the sampling spans 4"):
            pixels(processor, video, short_video="error")

    @pytest.mark.parametrize("wrong", [{"sampling": "a"}, {"short_video": "a"}, {"decoder": "a"}, {"num_crops": 2}])
    def test_wrong_options(self, processor, wrong):
        (name,) = wrong
        with pytest.raises(ValueError, match=f"{name} must be"):
            processor(random_video(), **wrong)
        with pytest.raises(ValueError, match=f"{name} must be one of"):
            HolovidVideoProcessor(**wrong)
        with pytest.raises(ValueError, match="num_crops=3 needs do_center_crop=True"):
            processor(random_video(), num_crops=3, do_center_crop=False)

    def test_none_means_the_processors_own(self, processor):
        ours = {"sampling": None, "frame_stride": None, "num_views": None, "num_crops": None, "decoder": None}
        ours |= {"do_random_sampling": None, "short_video": None, "antialias": None, "generator": None}
        video = random_video()
        assert torch.equal(pixels(processor, video, **ours), pixels(processor, video))

    @pytest.mark.gpu
    def test_device(self, clip, processor):
        on_gpu = pixels(processor, [clip, random_video()], device="cuda", num_crops=3)
        assert on_gpu.device.type == "cuda"
        torch.testing.assert_close(on_gpu.cpu(), pixels(processor, [clip, random_video()], num_crops=3))


class TestSaving:
    def test_round_trip(self, tmp_path):
        options = {"sampling": "dense", "frame_stride": 3, "num_views": 2, "num_crops": 3, "short_video": "error"}
        processor = HolovidVideoProcessor(**SMALL, **options, antialias=True, do_random_sampling=True)
        processor.save_pretrained(tmp_path)
        for cls in (HolovidVideoProcessor, AutoVideoProcessor):
            loaded = cls.from_pretrained(tmp_path)
            assert type(loaded) is HolovidVideoProcessor
            assert loaded.to_dict() == processor.to_dict()
            assert all(getattr(loaded, name) == value for name, value in options.items())
        assert AutoVideoProcessor.from_pretrained(tmp_path, num_frames=2).num_frames == 2

    def test_found_through_the_configuration(self, tmp_path):
        """A folder whose processor file does not name its class."""
        XViTConfig().save_pretrained(tmp_path)
        (tmp_path / "video_preprocessor_config.json").write_text('{"num_frames": 5}')
        assert AutoVideoProcessor.from_pretrained(tmp_path).num_frames == 5

    def test_defaults_are_those_of_the_released_models(self):
        processor = HolovidVideoProcessor()
        assert processor.size == {"shortest_edge": 224} and processor.crop_size == {"height": 224, "width": 224}
        assert list(processor.image_mean) == list(processor.image_std) == [0.5] * 3
        assert pixels(processor, random_video(3, 40, 60)).shape == (1, 8, 3, 224, 224)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "size", "fps"),
    [
        ("bigbuckbunny.mp4", 132, (720, 1280), 25),
        ("bikes.mp4", 250, (272, 640), 25),
        ("carphone_pristine.mp4", 120, (144, 176), 30000 / 1001),
    ],
)
def test_real_clips(real_clips, name, count, size, fps):  # noqa: F811
    with open_video(real_clips[name]) as file:
        facts = file.metadata
        assert (facts.total_num_frames, (facts.height, facts.width)) == (count, size)
        assert facts.fps == pytest.approx(fps, rel=1e-6)
        everything, seconds = file.frames()
        np.testing.assert_allclose(seconds, np.arange(count) / fps, atol=1e-3)
        indices = np.random.default_rng(0).integers(0, count, 12)
        assert torch.equal(file.frames(indices)[0], everything[indices])
    processor = HolovidVideoProcessor(num_frames=16, sampling="dense", frame_stride=4, num_views=2, num_crops=3)
    from_file = pixels(processor, real_clips[name])
    assert from_file.shape == (1, 6, 16, 3, 224, 224)
    assert 0.1 < from_file.std() < 1 and from_file.abs().max() <= 1 + 1e-6
    assert torch.equal(from_file, pixels(processor, everything))
