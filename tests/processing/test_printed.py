"""A processor that is printed fits on a screen, and says what it does."""

from holovid import CA2STConfig, HolovidProcessor, HolovidVideoProcessor


def test_in_few_lines():
    hears = HolovidProcessor.for_model(CA2STConfig(experts=["space", "time", "audio"]))
    text = repr(hears)
    assert text.startswith("HolovidProcessor(HolovidVideoProcessor(num_frames=16, sampling='uniform'")
    assert len(text.splitlines()) <= 10 and max(map(len, text.splitlines())) <= 130
    assert "size={'shortest_edge': 224}" in text and "'audio_frames': 400" in text


def test_what_differs_from_defaults_is_told():
    assert "channel_order" not in repr(HolovidVideoProcessor())
    text = repr(HolovidVideoProcessor(channel_order="bgr", fps=4.0, sampling="segments"))
    assert "channel_order='bgr'" in text and "fps=4.0" in text and "sampling='segments'" in text
