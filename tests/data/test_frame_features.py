"""Features that were written once are those of the frames, and a model learns from them without any video."""

import pytest
import tiny_avt
import tiny_ca2st
import tiny_xvit
import torch
from clips import write_clip
from training_runs import script

from holovid import AVTForActionAnticipation, HolovidProcessor
from holovid.data import ClipDataset, load_clips
from holovid.data.anticipation import seen_by
from holovid.data.frame_features import FrameFeatures, embed_frames

SEEN = {"num_frames": 4, "frame_rate": 2.0, "observation_seconds": 2.0, "anticipation_seconds": 0.5}


@pytest.fixture
def table(tmp_path):
    write_clip(tmp_path / "a.mp4", frames=48)
    lines = ["path,start,end,label", "a.mp4,0,1,take", "a.mp4,1.2,2,cut", "a.mp4,2.2,3,put", "a.mp4,3,4,cut"]
    path = tmp_path / "actions.csv"
    path.write_text("\n".join([*lines, ""]))
    return path


def make_model():
    names = {0: "cut", 1: "put", 2: "take"}
    return tiny_avt.tiny(
        **SEEN, num_labels=3, id2label=names, label2id={name: number for number, name in names.items()}
    )


def test_the_script_writes_what_the_model_sees(table, tmp_path):
    model = make_model()
    processor = HolovidProcessor.for_model(model)
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    script("embed_frames")(
        [str(tmp_path / "model"), str(table), "--output", str(tmp_path / "new"), "--batch_size", "2"]
    )

    clips = ClipDataset(seen_by(model.config, load_clips(table))["train"], processor)
    rows = FrameFeatures(tmp_path / "new")
    assert (len(rows), rows.width, rows.classes["labels"]) == (len(clips), 36, ["cut", "put", "take"])
    head = AVTForActionAnticipation(tiny_avt.tiny_config(**SEEN, num_labels=3, feature_size=rows.width)).eval()
    whole = model.state_dict()
    head.load_state_dict({name: whole[name] for name in head.state_dict()})
    for index in range(len(clips)):
        row, clip = rows[3, index], clips[index]  # as a sampler of epochs asks
        assert all(torch.equal(row[name], clip[name]) for name in ("labels", "past_labels"))
        with torch.no_grad():
            found, expected = (m(**{k: v[None] for k, v in r.items()}) for m, r in ((head, row), (model, clip)))
        torch.testing.assert_close(found.logits, expected.logits, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found.loss, expected.loss, rtol=1e-5, atol=1e-5)


def test_a_video_model_writes_its_own_features(table, tmp_path):
    model = make_model()
    video_model = tiny_xvit.tiny(image_size=(16, 24))
    clips = ClipDataset(seen_by(model.config, load_clips(table))["train"], HolovidProcessor.for_model(model))
    rows = FrameFeatures(embed_frames(video_model, clips, tmp_path / "new", batch_size=2, progress=False))
    with torch.no_grad():
        expected = video_model.xvit.frame_features(clips[1]["pixel_values_videos"][None])[0]
    torch.testing.assert_close(rows[1]["features"], expected, rtol=1e-4, atol=1e-5)


def test_what_is_refused(table, tmp_path):
    model = make_model()
    processor = HolovidProcessor.for_model(model)
    seen = seen_by(model.config, load_clips(table))["train"]
    clips = ClipDataset(seen, processor)
    for other, message in (
        (tiny_ca2st.tiny(), "has no features of single frames"),
        (tiny_avt.tiny(feature_size=20), "has no backbone"),
    ):
        with pytest.raises(ValueError, match=message):
            embed_frames(other, clips, tmp_path / "new")
    with pytest.raises(ValueError, match="augmented at random"):
        embed_frames(model, ClipDataset(seen, processor, augmentation=lambda frames: frames / 255.0), tmp_path / "new")
    with pytest.raises(ValueError, match="one view a clip"):
        embed_frames(model, ClipDataset(seen, processor, num_crops=3), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    seen.remove_columns("video").save_to_disk(tmp_path / "others")
    with pytest.raises(ValueError, match="holds no frame features"):
        FrameFeatures(tmp_path / "others")
