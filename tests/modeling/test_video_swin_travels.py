"""A saved Video Swin loads and computes the same where holovid cannot be imported."""

import pytest
from clips import write_clip
from strangers import computed_here, report_without_holovid
from tiny_video_swin import tiny
from travelling_files import VIDEO_PROCESSOR_SOURCE, VIDEO_SWIN_SOURCE

from holovid import HolovidVideoProcessor


@pytest.mark.slow
def test_what_is_saved_loads_without_holovid(tmp_path):
    model = tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"})
    folder, clip = tmp_path / "saved", tmp_path / "clip.mp4"
    model.save_pretrained(folder)
    HolovidVideoProcessor(size={"shortest_edge": 28}, crop_size=28, num_frames=9).save_pretrained(folder)
    written = {"config.json", "model.safetensors", "video_preprocessor_config.json"}
    assert {path.name for path in folder.iterdir()} == VIDEO_SWIN_SOURCE | VIDEO_PROCESSOR_SOURCE | written
    write_clip(clip)
    (report,) = report_without_holovid(tmp_path / "work", str(clip), [{"source": str(folder)}])
    classes = report.pop("classes")
    assert "VideoSwinForVideoClassification" in classes and "VideoSwinConfig" in classes
    assert all(module.startswith("transformers_modules.") for module in report.pop("modules"))
    assert report == computed_here(str(folder), str(clip))
