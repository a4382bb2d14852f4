"""Explanations that one can look at: maps lie where the model looked, and clips keep their frames and their sound."""

import dataclasses
import os
import re
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import tiny_where_when
import tiny_xvit
import torch
import transformers
from PIL import Image
from sounding_clips import clicks, loudest, write_sounding_clip

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.data.synthetic import ClipSet, render_clips
from holovid.explanation.hiding import blurred
from holovid.inference.contact_sheet import contact_sheet, seen_frames
from holovid.inference.explained_clip import explain_clip, explained_sheet, loudness_of
from holovid.inference.explanation_files import write_explanation
from holovid.inference.heat_maps import colours, heated, heated_part, seen_part
from holovid.page.answers import PageModel
from holovid.processing.audio_decoding import Waveform
from holovid.processing.video_decoding import open_video

SHAPES = ("ring", "bar", "disc")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A rendered clip of events, of 24 frames in 2 seconds, with sound."""
    rendered = ClipSet(train=0, val=1, shapes=SHAPES, sounds=("rise", "siren", "clicks"), size=48, events=True)
    folder = render_clips(tmp_path_factory.mktemp("explained") / "clips", rendered, progress=False)
    return next(folder.rglob("*.mp4"))


@pytest.fixture(scope="module")
def hearing():
    model = tiny_where_when.tiny(num_labels=3, id2label=dict(enumerate(SHAPES)))
    return model, HolovidProcessor.for_model(model.config).video_processor


@pytest.fixture(scope="module")
def seeing():
    model = tiny_xvit.tiny(num_labels=3, id2label=dict(enumerate(SHAPES)))
    return model, HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6, num_views=2)


@pytest.fixture(scope="module")
def explained(hearing, clip):
    return explain_clip(*hearing, clip)


def test_a_model_that_hears(explained, hearing):
    why = explained.why
    assert explained.frames.shape[2:] == (16, 24) and len(explained.frames) == why.where.shape[1] == 5
    assert why.method == "intrinsic" and explained.label in SHAPES and explained.hears
    assert torch.equal(why.frame_times[0], explained.frame_seconds)
    assert explained.seconds == pytest.approx(2.0) and explained.heat.max() == 1
    assert explained.loudness.max() == 1 and len(explained.loudness) == 1000


def test_one_that_sees_is_told_when_its_frames_are_shown(seeing, clip):
    model, processor = seeing
    explained = explain_clip(model, processor, clip, target="disc")
    # one view of those that the processor takes
    once = processor(clip, num_views=1, return_tensors="pt")["pixel_values_videos"]
    assert explained.why.where.shape[:2] == (1, 6) and explained.label == "disc" and not explained.hears
    assert torch.allclose(explained.score * torch.ones(()), model(once).logits.softmax(dim=1)[0, 2], atol=1e-6)
    picked = [round(second * 12) for second in explained.frame_seconds.tolist()]
    assert picked == [0, 4, 8, 12, 16, 20] and torch.equal(explained.why.frame_times[0], explained.frame_seconds)
    record = explained.record()
    assert record["target"] == "disc" and record["when_audio"] is None and record["heard"] is None
    assert np.shape(record["where"])[0] == len(record["times"]) == len(record["when_visual"]) == 6


def test_one_that_hears_is_told_by_what_is_missed(hearing, clip):
    """The picture blurred and the sound silent, as the model itself scores them."""
    model, processor = hearing
    explained = explain_clip(model, processor, clip)
    inputs = dict(processor(clip, num_views=1, return_tensors="pt"))
    sound, number = inputs["input_values"], int(explained.why.target)
    unseen = inputs | {"pixel_values_videos": blurred(inputs["pixel_values_videos"])}
    unheard = inputs | {"input_values": torch.full_like(sound, sound.min())}
    full, *less = (model(**each).logits.softmax(dim=1)[0, number].item() for each in (inputs, unseen, unheard))
    assert explained.falls == pytest.approx([full - each for each in less], abs=1e-5)
    record = explained.record()
    assert (record["lost_unseen"], record["lost_unheard"]) == explained.falls and max(map(abs, explained.falls)) > 1e-4


def test_colours_of_a_processor_that_swaps_them():
    red = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    red[:, 0] = 255
    for order in ("rgb", "bgr"):
        processor = HolovidVideoProcessor(
            size={"shortest_edge": 16}, crop_size=16, num_frames=2, channel_order=order, image_mean=[0.2, 0.4, 0.6]
        )
        frames, _ = seen_frames(processor, red)
        assert torch.allclose(frames, red / 255, atol=1e-6)


def test_the_map_lies_over_its_cell_and_x_counts_columns():
    heat = torch.zeros(1, 2, 4)
    heat[0, 1, 3] = 1.0  # lower row, last column
    painted = heated(torch.zeros(1, 3, 32, 64), heat)[0].sum(dim=0)
    row, column = divmod(int(painted.argmax()), 64)
    assert row >= 24 and column >= 56
    assert painted[:16, :32].max() == 0  # what did not count stays as it was
    assert torch.allclose(
        heated(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 1)), 0.25 + 0.75 * colours()[-1].view(1, 3, 1, 1)
    )


@pytest.mark.parametrize(
    "height, width, options, box",
    [
        (48, 72, {}, (0, 12, 48, 60)),  # 16 x 24, of which 16 from 4 on
        (72, 48, {}, (12, 0, 60, 48)),
        (48, 64, {"do_center_crop": False}, (0, 0, 48, 64)),
        (48, 64, {"do_resize": False}, (16, 24, 32, 40)),
        (8, 64, {"do_resize": False}, (0, 24, 8, 40)),  # a margin above and below
        (41, 64, {"size": {"shortest_edge": 20}}, (4, 17, 37, 50)),  # 20 x 31, of which 16 from 8 on
    ],
)  # fmt: skip
def test_what_of_a_frame_is_seen(height, width, options, box):
    processor = HolovidVideoProcessor(**{"size": {"shortest_edge": 16}, "crop_size": 16, "num_frames": 1} | options)
    part = seen_part(processor, height, width)
    assert part.box(height, width) == box
    top, left, bottom, right = box
    inside = torch.zeros(1, 3, height, width, dtype=torch.uint8)
    inside[:, :, top:bottom, left:right] = 255
    bright = seen_frames(processor, inside)[0].mean()
    assert bright > 0.95 * (part.cut[2] - part.cut[0]) * (part.cut[3] - part.cut[1]), "all that is seen is inside"
    frame = heated_part(inside[0] // 255 * 200, torch.zeros(2, 2), part)
    assert frame[:, top:bottom, left:right].min() == 200


def test_maps_leave_out_the_margin_of_frames_that_are_too_small():
    processor = HolovidVideoProcessor(do_resize=False, crop_size=16, num_frames=1)
    part = seen_part(processor, 8, 16)
    assert part.cut == (0.25, 0, 0.75, 1)
    heat = torch.zeros(4, 4)
    heat[0] = 1.0  # all in the margin
    below = torch.zeros(4, 4)
    below[1] = 1.0  # the upper half of what there is
    black = torch.zeros(3, 8, 16, dtype=torch.uint8)
    assert (
        heated_part(black, below, part)[:, :3].float().mean()
        > 5 * heated_part(black, below, part)[:, 6:].float().mean()
    )
    assert heated_part(black, heat, part)[:, 3:].max() < 40


def test_loudness():
    sound = Waveform(torch.tensor([0.0, 0.5, 0.0, -0.25, 0.0, 0.0]), 2)
    assert loudness_of(sound, 3.0, bins=3).tolist() == [1.0, 0.5, 0.0]
    assert loudness_of(sound, 4.0, bins=4).tolist() == [1.0, 0.5, 0.0, 0.0]
    assert loudness_of(Waveform(torch.zeros(6), 2), 3.0, bins=3).tolist() == [0.0] * 3
    assert loudness_of(Waveform(torch.zeros(0), 2), 3.0) is None


def test_the_picture(explained, tmp_path):
    write_explanation(explained, tmp_path / "new" / "why.PNG")
    with Image.open(tmp_path / "new" / "why.PNG") as picture:
        assert picture.format == "PNG" and picture.width == 1000 and 300 < picture.height < 800
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["why.PNG"]


def test_the_video_has_all_frames_and_the_sound(explained, tmp_path):
    path = tmp_path / "why.mp4"
    write_explanation(explained, path)
    with open_video(path, with_sound=True) as ours, open_video(explained.source, with_sound=True) as theirs:
        assert len(ours) == len(theirs) == 24 and np.allclose(ours.times, theirs.times, atol=1e-3)
        assert (ours.metadata.height, ours.metadata.width) == (240, 240)
        sound, given = (file.sound.read(0, 32_000, 16_000) for file in (ours, theirs))
    assert np.corrcoef(sound, given)[0, 1] > 0.9


def test_the_page_needs_nothing_else(explained, tmp_path):
    object.__setattr__(explained, "label", "<b>ring</b> & co")
    write_explanation(explained, tmp_path / "why.html")
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "://" not in page and "<h1>&lt;b&gt;ring&lt;/b&gt; &amp; co" in page and explained.reason.sentence in page
    name = os.path.basename(explained.name)
    assert f">{name}, explained by" in page and os.path.dirname(explained.name) not in page
    assert set(re.findall(r'(?:src|href)="(.{16})', page)) == {"data:video/mp4;b", "data:image/png;b"}
    object.__setattr__(explained, "label", "ring")


def test_other_files(explained, tmp_path):
    with pytest.raises(ValueError, match=r"must end in .png, .mp4 or .html, got .*why.gif"):
        write_explanation(explained, tmp_path / "why.gif")
    assert not list(tmp_path.iterdir())


def test_clips_without_sound_and_of_one_frame(hearing, tmp_path):
    silent = write_sounding_clip(tmp_path / "silent.mp4", frames=1)
    explained = explain_clip(*hearing, silent)
    assert explained.loudness is None and explained.record()["heard"] in (None, 0.0)
    for name in ("why.png", "why.mp4"):
        write_explanation(explained, tmp_path / name)
    with av.open(str(tmp_path / "why.mp4")) as file:
        assert not file.streams.audio and sum(1 for _ in file.decode(video=0)) == 1


def test_sound_stays_where_it_is_and_phone_videos_stand_upright(seeing, tmp_path):
    path = write_sounding_clip(
        tmp_path / "late.mkv", frames=40, sound=clicks(1.0, (0.3, 0.8), 44_100, 2), rate=44_100, layout="stereo",
        codec="pcm_s16le", sound_start=1.5, picture_start=0.5, size=(32, 64),
    )  # fmt: skip
    explained = explain_clip(*seeing, path)
    write_explanation(explained, tmp_path / "why.mp4")
    with pytest.raises(ValueError, match="is the video itself"):
        write_explanation(replace(explained, source=str(tmp_path / "why.mp4")), tmp_path / "why.mp4")
    with open_video(tmp_path / "why.mp4", with_sound=True) as ours:
        # the sound starts a second after the picture
        sound = ours.sound.read(0, 2 * 44_100, 44_100).numpy()
        assert [loudest(sound, 44_100, second) for second in (1.3, 1.8)] == pytest.approx([1.3, 1.8], abs=2e-3)
    with av.open(str(tmp_path / "why.mp4")) as file:
        assert file.streams.audio[0].channels == 2

    turned = tmp_path / "phone.mp4"
    with av.open(str(turned), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(90)
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((32, 64, 3), 90, dtype=np.uint8))
            frame.pts, frame.time_base = index, Fraction(1, 10)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    write_explanation(explain_clip(*seeing, turned), tmp_path / "upright.mp4")
    with open_video(tmp_path / "upright.mp4") as ours:
        assert (ours.metadata.height, ours.metadata.width) == (512, 256)
        frame = ours.frames([0])[0][0].float().mean(dim=0)
        # square, as the model saw it, in the middle; what was cropped away is darker
        assert frame[:110].mean() < 60 < 80 < frame[136:376].mean()


def test_the_video_adds_up_the_maps_of_a_frame_that_is_shown_again(seeing, clip, tmp_path):
    explained = explain_clip(*seeing, clip)
    where = torch.zeros(1, 6, 2, 2)
    where[0, :2, 0, 0], where[0, 2:, 1, 1] = 0.2, 0.1  # a frame shown twice, and four times another
    times = torch.tensor([[0.0, 0.0, 1.9, 1.9, 1.9, 1.9]])
    why = dataclasses.replace(explained.why, where=where, frame_times=times)
    write_explanation(dataclasses.replace(explained, why=why), tmp_path / "why.mp4")
    with open_video(tmp_path / "why.mp4") as ours, open_video(clip) as theirs:
        frames, given = (file.frames([0, len(file) - 1])[0].float() for file in (ours, theirs))
    given = given.repeat_interleave(5, -1).repeat_interleave(5, -2)
    changed = (frames - given).abs().mean(dim=1)[:, 40:200, 40:200]  # without the label
    upper, lower = changed[0, :60, :60].mean(), changed[1, -60:, -60:].mean()
    assert upper > 20 and 0.7 < upper / lower < 1.4, "each was 0.4 of all, and is as opaque as the highest"


@pytest.mark.parametrize("name", ["VideoMAE", "Vivit", "VJEPA2"])
def test_models_of_transformers(name, clip, tmp_path):
    """By occlusion, from files that their processors cannot decode here, in the colours of the clip."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    sizes |= {"image_size": 32, "num_frames": 4, "patch_size": 16}
    if name == "VJEPA2":
        sizes = {"crop_size": 32, "frames_per_clip": 4, "patch_size": 16, "hidden_size": 24, "num_hidden_layers": 1,
                 "num_attention_heads": 2, "pred_hidden_size": 24, "pred_num_attention_heads": 2,
                 "pred_num_hidden_layers": 1, "num_pooler_layers": 1}  # fmt: skip
    config = getattr(transformers, f"{name}Config")(**sizes, id2label=dict(enumerate(SHAPES)))
    model = getattr(transformers, f"{name}ForVideoClassification")(config).eval()
    processor = getattr(transformers, f"{name}VideoProcessor")(crop_size=32)
    explained = explain_clip(model, processor, clip, progress=False)
    assert explained.why.method == "occlusion" and explained.why.where.shape == (1, 4, 7, 7)
    with open_video(clip) as video:
        numbers = np.searchsorted(video.times - video.start, explained.frame_seconds.numpy() - 1e-3)
        shown = video.frames(numbers)[0] / 255
    assert len(shown) == 4 and explained.frame_seconds[0] == 0
    rows = shown.shape[-1] * 32 // (36 if name == "VJEPA2" else processor.size["shortest_edge"])
    middle = shown[..., (48 - rows) // 2 : (48 + rows) // 2, (48 - rows) // 2 : (48 + rows) // 2]
    assert (explained.frames.mean((-1, -2)) - middle.mean((-1, -2))).abs().max() < 0.06
    answers = [{"label": "bar", "score": 0.6}]
    assert explained_sheet(model, processor, clip, answers, progress=False).width == 960
    assert PageModel("", model, processor).scores(clip).keys() == {"as it is", "shuffled"}
    assert contact_sheet(processor, str(clip), answers, num_frames=4).width == 960
    write_explanation(explained, tmp_path / "why.mp4")


def test_the_sheet_has_the_maps(seeing, clip):
    model, processor = seeing
    answers = [{"label": "bar", "score": 0.6}, {"label": "ring", "score": 0.4}]
    sheet = explained_sheet(model, processor, clip, answers)
    assert sheet.width == 960
    seen = np.asarray(sheet).reshape(-1, 3)
    assert (np.abs(seen - (colours()[-1] * 255).numpy()).sum(axis=1) < 200).any()
