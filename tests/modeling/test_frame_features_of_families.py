"""Features of frames that video models have, alone and as AVT's backbone."""

import pytest
import tiny_avt
import tiny_ca2st
import tiny_time_sformer
import tiny_video_swin
import tiny_where_when
import tiny_xvit
import torch
from clips import write_clip
from huggingface_hub.errors import StrictDataclassClassValidationError
from strangers import computed_here, report_without_holovid
from travelling_files import AVT_SOURCE, SOURCE_OF_FAMILY

from holovid import AVTForActionAnticipation, HolovidProcessor
from holovid.modeling.streaming_avt import AVTStream

FAMILIES = {"xvit": tiny_xvit, "time_sformer": tiny_time_sformer, "video_swin": tiny_video_swin}


def frames_for(model, frames: int = 4) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(2, frames, 3, *model.config.frame_size)


def with_backbone(family: str, **fields) -> AVTForActionAnticipation:
    return tiny_avt.tiny(backbone_config=FAMILIES[family].tiny_config(), num_frames=4, **fields)


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frames", [1, 3, 4])
def test_a_feature_for_each_frame(family, frames):
    model = FAMILIES[family].tiny()
    clip = frames_for(model, frames)
    features = model.frame_features(clip)
    assert features.shape == (2, frames, model.config.hidden_size)
    torch.testing.assert_close(features, model.base_model.frame_features(clip))


@torch.no_grad()
def test_what_the_features_are():
    """Their mean is what each family makes of a clip where it takes the mean."""
    xvit = tiny_xvit.tiny(pooling="mean")
    clip = frames_for(xvit)
    pooled = xvit.base_model(clip).pooler_output
    torch.testing.assert_close(xvit.frame_features(clip).mean(1), pooled, rtol=1e-4, atol=1e-5)
    swin = tiny_video_swin.tiny()
    clip = frames_for(swin)
    features = swin.frame_features(clip)
    torch.testing.assert_close(features.mean(1), swin.base_model(clip).pooler_output, rtol=1e-4, atol=1e-5)
    span = swin.config.patch_size[0]
    assert torch.equal(features[:, 0], features[:, span - 1]) and not torch.equal(features[:, 0], features[:, span])
    alone = tiny_time_sformer.tiny(attention_type="space_only")
    clip = frames_for(alone)
    features = alone.frame_features(clip)
    torch.testing.assert_close(features[:, 2:3], alone.frame_features(clip[:, 2:3]), rtol=1e-4, atol=1e-5)
    divided = tiny_time_sformer.tiny()
    clip = frames_for(divided)
    tokens = divided.base_model(clip).last_hidden_state[:, 1:].unflatten(1, (4, -1))
    torch.testing.assert_close(divided.frame_features(clip), tokens.mean(2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_as_backbone(family, tmp_path):
    model = with_backbone(family)
    backbone, clip = model.avt.frames.model, frames_for(model)
    with torch.no_grad():
        outputs = model(clip)
        torch.testing.assert_close(outputs.features, backbone.frame_features(clip))
        model.save_pretrained(tmp_path)
        again = AVTForActionAnticipation.from_pretrained(tmp_path)
        torch.testing.assert_close(again(clip).logits, outputs.logits)
    assert {path.name for path in tmp_path.glob("*.py")} == AVT_SOURCE | SOURCE_OF_FAMILY[family]
    processor = HolovidProcessor.for_model(model)
    assert tuple(processor.video_processor.image_mean) == backbone.config.image_mean
    with pytest.raises(ValueError, match=f"backbone {type(backbone).__name__} needs the whole clip"):
        AVTStream(model)
    model.train()
    model(clip, labels=torch.tensor([1, 2]), past_labels=torch.zeros(2, 4, dtype=torch.long)).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_starts_from_a_video_model(family, tmp_path):
    source = FAMILIES[family].tiny()
    source.save_pretrained(tmp_path)
    head = {"head_hidden_size": 24, "head_num_hidden_layers": 1, "head_num_attention_heads": 2}
    clip = frames_for(source)
    for given in (source, str(tmp_path)):
        model = AVTForActionAnticipation.from_image_model(given, num_labels=4, **head).eval()
        torch.testing.assert_close(model(clip).features, source.frame_features(clip), rtol=1e-5, atol=1e-5)


def test_what_is_refused():
    with pytest.raises(ValueError, match="CA2STModel has no features of single frames"):
        tiny_avt.tiny(backbone_config=tiny_ca2st.tiny_config())
    with pytest.raises(ValueError, match="CA2STModel has no features of single frames"):
        tiny_ca2st.tiny().frame_features(torch.zeros(1, 4, 3, 16, 16))
    with pytest.raises(StrictDataclassClassValidationError, match="cannot be the backbone of another"):
        tiny_avt.tiny(backbone_config=tiny_avt.tiny_config())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_loads_without_holovid(family, tmp_path):
    """The source of the family inside comes along, also when it is saved once more where holovid is absent."""
    loads_without_holovid(with_backbone(family), ["AVTConfig", "AVTModel", "AVTForActionAnticipation"], tmp_path)


@pytest.mark.slow
def test_loads_without_holovid_whatever_the_outer_file_imports(tmp_path):
    """WhereWhen's own file knows nothing of what registers the model inside of it."""
    model = tiny_where_when.tiny(visual_config=tiny_xvit.tiny_config(num_frames=4), num_frames=4)
    names = ["WhereWhenConfig", "WhereWhenModel", "WhereWhenForVideoClassification"]
    loads_without_holovid(model, names, tmp_path)


def loads_without_holovid(model, names: list[str], tmp_path) -> None:
    write_clip(tmp_path / "clip.mp4")
    clip, saved, again = (str(tmp_path / name) for name in ("clip.mp4", "saved", "saved_again"))
    model.save_pretrained(saved)
    HolovidProcessor.for_model(model, fps=None, frame_stride=1).save_pretrained(saved)
    reports = report_without_holovid(tmp_path / "first", clip, [{"source": saved, "save_again": again}])
    reports += report_without_holovid(tmp_path / "second", clip, [{"source": again}])
    for report in reports:
        assert report.pop("classes")[:3] == names
        assert all(module.startswith("transformers_modules.") for module in report.pop("modules"))
        assert report == computed_here(saved, clip)
