"""Measures of explanations, by models whose reasons are known and by hand-computed numbers."""

from pathlib import Path

import pytest
import torch
from tiny_ca2st import CA2ST
from tiny_ca2st import tiny_config as tiny_ca2st_config
from tiny_xvit import tiny_config as tiny_xvit_config
from torch.nn.functional import interpolate

from holovid import (
    CA2STForVideoClassification,
    HolovidVideoProcessor,
    XViTForVideoClassification,
)
from holovid.data import ClipSet, read_events, render_clips
from holovid.data.event_truth import Events
from holovid.explanation import (
    Explanation,
    agreement_of,
    deletion,
    evaluate,
    insertion,
    occlude,
    pointing_in_space,
    pointing_in_time,
    randomised,
    sanity_check,
)
from holovid.explanation.agreement import layers_from_top, rank_correlation
from holovid.explanation.hiding import Hider, blurred, silence_of, step_of_rows
from holovid.explanation.perturbation import Curve, ranks_in_order

FRAME, ROW, COLUMN, STEP = 2, 1, 3, 5  # where and when the clips of `known` show and sound something
CELLS, FRAMES, STEPS = (4, 6), 5, 8


def known(inputs):
    """Class 1 by how bright one cell of one frame is, and by how loud one step is; the more, the surer."""
    videos, sound = inputs["pixel_values_videos"], inputs["input_values"]
    cell = videos[:, FRAME, :, 8 * ROW : 8 * ROW + 8, 8 * COLUMN : 8 * COLUMN + 8].mean(dim=(1, 2, 3))
    step = sound[:, 4 * STEP : 4 * STEP + 4].mean(dim=(1, 2))
    return torch.stack([torch.zeros_like(cell), 2 * cell + step - 2], dim=1)


def known_inputs(clips=2):
    videos = 0.1 * torch.rand(clips, FRAMES, 3, 8 * CELLS[0], 8 * CELLS[1])
    videos[:, FRAME, :, 8 * ROW : 8 * ROW + 8, 8 * COLUMN : 8 * COLUMN + 8] += 2
    sound = torch.rand(clips, 4 * STEPS, 6) - 1.2
    sound[:, 4 * STEP : 4 * STEP + 4] += 2
    return {
        "pixel_values_videos": videos,
        "input_values": sound,
        "frame_times": torch.arange(float(FRAMES)).expand(clips, FRAMES),
        "audio_span": torch.tensor([[0.0, 4.0]]).expand(clips, 2),
    }


def known_truth(clips=2):
    box = torch.tensor([[100 * COLUMN / 6, 100 * ROW / 4, 100 * (COLUMN + 1) / 6, 100 * (ROW + 1) / 4]])
    seen, heard = torch.tensor([[2.0, 3.0]]), torch.tensor([[2.5, 3.0]])
    files = tuple(Path(f"{clip}.mp4") for clip in range(clips))
    return Events(box.expand(clips, 4), seen.expand(clips, 2), heard.expand(clips, 2), files)


def explain_by_occlusion(model, inputs, target=None):
    return occlude(model, inputs, target, cells=CELLS, sound_steps=STEPS, progress=False)


def explanation_of(**maps):
    clips = len(next(iter(maps.values())))
    return Explanation(
        target=torch.zeros(clips, dtype=torch.int64), score=torch.ones(clips), method="gradients", **maps
    )


def test_occlusion_finds_the_cell_the_frame_and_the_step():
    inputs = known_inputs()
    why = explain_by_occlusion(known, inputs)
    assert why.method == "occlusion" and why.target.tolist() == [1, 1]
    torch.testing.assert_close(why.score, known(inputs).softmax(dim=1)[:, 1])
    place = FRAME * CELLS[0] * CELLS[1] + ROW * CELLS[1] + COLUMN
    assert why.where.flatten(1).argmax(dim=1).tolist() == [place] * 2 and why.where.flatten(1).amax() > 0.95
    assert why.when_visual.argmax(dim=1).tolist() == [FRAME] * 2
    assert why.when_audio.argmax(dim=1).tolist() == [STEP] * 2
    for values in (why.where, why.when_visual, why.when_audio):
        torch.testing.assert_close(values.flatten(1).sum(dim=1), torch.ones(2))
        assert values.min() >= 0
    assert why.heard.min() > 0 and why.heard.max() < 0.9
    assert why.audio_times[0].tolist() == [0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75]


def test_occlusion_of_a_class_that_is_asked_for_and_of_several_frames_at_once():
    inputs = known_inputs()
    other = explain_by_occlusion(known, inputs, torch.tensor([0, 1]))
    assert other.score[0] < 0.5 < other.score[1]
    pairs = occlude(known, inputs, cells=(1, 1), frames_each=2, sound_steps=STEPS, batch_size=3, progress=False)
    assert pairs.where.shape == (2, FRAMES, 1, 1)
    torch.testing.assert_close(pairs.where[0, :, 0, 0], torch.tensor([0, 0, 0.5, 0.5, 0]), atol=0.02, rtol=0)


def test_occlusion_says_nothing_where_there_is_no_sense():
    mute = {"pixel_values_videos": torch.rand(2, 3, 3, 16, 16)}
    why = occlude(lambda inputs: inputs["pixel_values_videos"].mean((1, 3, 4)), mute, cells=(2, 2), progress=False)
    assert why.when_audio is None and why.heard is None and why.audio_times is None and why.frame_times is None
    sound = {"input_values": torch.rand(2, 12, 4)}
    why = occlude(lambda inputs: inputs["input_values"].mean(1), sound, sound_steps=3, progress=False)
    assert why.where is None and why.when_visual is None and why.when_audio.shape == (2, 3)
    assert why.heard.tolist() == [1, 1]
    nothing = occlude(lambda inputs: torch.zeros(len(inputs["input_values"]), 2), sound, progress=False)
    torch.testing.assert_close(nothing.when_audio, torch.full((2, 10), 0.1))


def test_a_known_explanation_is_true_by_every_measure():
    inputs = known_inputs(4)
    batches = [
        {name: value[:2] for name, value in inputs.items()},
        {name: value[2:] for name, value in inputs.items()},
    ]
    row = evaluate(known, batches, explain_by_occlusion, known_truth(4), steps=8, size=(32, 48))
    assert row["method"] == "occlusion" and row["clips"] == 4
    assert [row[f"pointing_{name}"] for name in ("space", "time", "sound")] == [1, 1, 1]
    assert row["pointing_space_count"] == row["pointing_sound_count"] == 4
    for part in ("patches", "frames", "sound"):
        most, random, least = (row[f"deletion_{part}{order}"] for order in ("", "_random", "_least"))
        assert most < random - 0.01 < least - 0.01, part
        most, random, least = (row[f"insertion_{part}{order}"] for order in ("", "_random", "_least"))
        assert most > random + 0.01 > least + 0.01, part
    assert row["agreement_where"] is None and row["sanity_where"] is None  # not asked for


def test_what_is_asked_for_in_addition_and_only_some_parts():
    inputs = known_inputs()
    options = {"cells": CELLS, "sound_steps": STEPS, "progress": False}
    row = evaluate(known, [inputs], explain_by_occlusion, parts=["frames"], yardstick=options, steps=2)
    assert row["agreement_where"] == pytest.approx(1) and row["agreement_when_audio"] == pytest.approx(1)
    assert row["deletion_frames"] is not None and row["deletion_sound"] is None and row["pointing_time"] is None
    of_labels = evaluate(known, [inputs | {"labels": torch.tensor([0, 0])}], explain_by_occlusion, steps=2)
    assert of_labels["deletion_frames"] < 0.5 < row["deletion_frames"]


def test_a_model_that_takes_no_times_is_measured_at_the_times_of_its_frames():
    model = XViTForVideoClassification(tiny_xvit_config())
    model.train()
    frames = model.config.num_frames
    inputs = {"pixel_values_videos": torch.rand(2, frames, 3, 16, 16), "labels": torch.tensor([1, 0])}
    batch = inputs | {"frame_times": torch.arange(float(frames)).expand(2, frames)}

    def by_occlusion(model, inputs, target=None):
        assert "frame_times" not in inputs and target.tolist() == [1, 0]
        return occlude(model, inputs, target, cells=(2, 2), progress=False)

    row = evaluate(model, [batch], by_occlusion, known_truth(), steps=2)
    assert row["pointing_space_count"] == row["pointing_time_count"] == 2 and row["pointing_sound"] is None
    assert row["deletion_patches"] is not None and row["deletion_sound"] is None and model.training


@pytest.mark.slow
def test_a_model_that_hears_is_measured_on_rendered_events(tmp_path):
    """From mp4 to the row: times, boxes and steps of sound are on one clock."""
    folder = render_clips(tmp_path / "clips", ClipSet(train=4, val=0, events=True, size=64), progress=False)
    truth = read_events(folder / "train")
    pictures = {"do_resize": False, "do_center_crop": False, "num_frames": 8}
    processor = HolovidVideoProcessor(**pictures, audio_config={"audio_frames": 200})
    inputs = dict(processor([str(path) for path in truth.files], return_tensors="pt"))

    assert inputs["frame_times"].shape == (4, 8) and inputs["input_values"].shape == (4, 200, 128)
    # the truth goes along with each clip, so that the model below has no reasons but these
    inputs |= {"box": (truth.boxes / 100 * 64).round().int(), "rows": (truth.heard * 100).round().int()}

    def by_what_is_there(inputs):
        """Class 1 by how much the labelled thing stands out at its place, and by how loud its sound is."""
        reasons = []
        for video, sound, box, rows in zip(
            *(inputs[name] for name in ("pixel_values_videos", "input_values", "box", "rows")), strict=True
        ):
            x0, y0, x1, y1 = box.tolist()
            place = video[:, :, y0:y1, x0:x1]
            changes = (place - place.median(dim=0).values).abs().mean(dim=(1, 2, 3))
            reasons.append(changes.sum() / 4 + sound[rows[0] : rows[1]].exp().mean() / 8)
        reasons = torch.stack(reasons)
        return torch.stack([torch.zeros_like(reasons), reasons], dim=1)

    def by_occlusion(model, inputs, target=None):
        target = torch.ones(len(inputs["box"]), dtype=torch.int64)
        return occlude(model, inputs, target, cells=(8, 8), sound_steps=10, progress=False)

    row = evaluate(by_what_is_there, [inputs], by_occlusion, truth, size=64, steps=8)
    assert row["pointing_space"] > 0.9 and row["pointing_time"] == row["pointing_sound"] == 1, row
    assert 4 <= row["pointing_space_count"] <= 20
    for part in ("patches", "frames", "sound"):
        assert row[f"deletion_{part}"] < row[f"deletion_{part}_random"] < row[f"deletion_{part}_least"], part


def test_evaluations_that_cannot_be():
    inputs = known_inputs()
    with pytest.raises(ValueError, match="there are no batches"):
        evaluate(known, [], explain_by_occlusion)
    with pytest.raises(ValueError, match="truth has 3 clips, but the batches have 2"):
        evaluate(known, [inputs], explain_by_occlusion, known_truth(3), parts=[])
    with pytest.raises(ValueError, match="truth has 1 clips, but the batches have more"):
        evaluate(known, [inputs], explain_by_occlusion, known_truth(1), parts=[])
    with pytest.raises(ValueError, match="parts must be of patches, frames, sound, got colours"):
        evaluate(known, [inputs], explain_by_occlusion, parts=["colours"])
    del inputs["frame_times"]
    with pytest.raises(ValueError, match="needs frame_times"):
        evaluate(known, [inputs], explain_by_occlusion, known_truth(), parts=[])


def test_pointing_takes_x_as_the_column_and_y_as_the_row():
    where = torch.zeros(1, 1, 4, 8)
    where[0, 0, 3, 1] = 1  # below, on the left: x = 18.75 %, y = 87.5 %
    right = torch.tensor([[[15.0, 80, 22, 95]]])
    assert pointing_in_space(where, right, tolerance=0).rate == 1
    assert pointing_in_space(where, right[..., [1, 0, 3, 2]], tolerance=0).rate == 0


def test_the_point_is_the_maximum_of_the_map_scaled_up():
    where = torch.rand(20, 1, 4, 5)
    large = interpolate(where, size=(400, 500), mode="bilinear")[:, 0]
    for clip in range(20):
        place = where[clip, 0].argmax().item()
        row, column = 100 * (place // 5) + 50, 100 * (place % 5) + 50
        torch.testing.assert_close(large[clip, row, column], large[clip].max(), atol=0.02, rtol=0)


def test_tolerance_is_in_pixels_of_the_frame():
    where = torch.zeros(1, 1, 2, 2)
    where[0, 0, 0, 0] = 1  # points at pixel 56 of 224 both ways
    box = torch.tensor([[[100 * 70 / 224, 0, 100, 100]]])  # begins 14 pixels further right
    assert pointing_in_space(where, box).rate == 1 and pointing_in_space(where, box, tolerance=13.9).rate == 0
    assert pointing_in_space(where, box, tolerance=7.1, size=112).rate == 1
    assert pointing_in_space(where, box, tolerance=6.9, size=112).rate == 0


def test_frames_without_a_box_do_not_count_and_flat_maps_miss():
    where = torch.zeros(2, 3, 2, 2)
    where[0, :, 1, 1] = 1
    boxes = torch.tensor([50.0, 50, 100, 100]).repeat(2, 3, 1)
    boxes[0, 0] = torch.nan
    assert pointing_in_space(where, boxes).rate == 2 / 5  # the second clip points nowhere
    assert pointing_in_space(where, torch.full((2, 3, 4), torch.nan)).rate is None
    flat = torch.full((1, 3), 1 / 3)
    assert pointing_in_time(flat, torch.arange(3.0)[None], torch.tensor([[0.0, 3.0]])).rate == 0


def test_pointing_at_one_of_several_intervals():
    when = torch.eye(3)
    times = torch.tensor([0.5, 1.5, 2.5]).expand(3, 3)
    intervals = torch.tensor([[[0.0, 1], [2, 3]], [[0, 1], [2, 3]], [[torch.nan] * 2, [torch.nan] * 2]])
    found = pointing_in_time(when, times, intervals)
    assert (found.hits, found.count) == (1, 2)
    assert pointing_in_time(when, times, intervals, tolerance=0.5).hits == 2
    with pytest.raises(ValueError, match="maps and times must be"):
        pointing_in_time(when, times[:, :2], intervals)
    with pytest.raises(ValueError, match="maps must be"):
        pointing_in_space(torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 4))


def test_orders():
    relevance = torch.tensor([[0.3, 0.5, 0.2], [0.0, 0.0, 1.0]])
    most, least = ranks_in_order(relevance), ranks_in_order(relevance, "least")
    assert most[0].tolist() == [1, 0, 2] and least[0].tolist() == [1, 2, 0] and most[1, 2] == 0 and least[1, 2] == 2
    random = ranks_in_order(torch.rand(1, 50), "random", seed=3)
    assert torch.equal(random, ranks_in_order(torch.rand(1, 50), "random", seed=3))
    assert not torch.equal(random, ranks_in_order(torch.rand(1, 50), "random", seed=4))
    assert sorted(random[0].tolist()) == list(range(50))
    ties = ranks_in_order(torch.zeros(1, 50), "most")
    assert ties[0].tolist() != list(range(50))  # chance decides, not the place
    with pytest.raises(ValueError, match="order must be one of"):
        ranks_in_order(relevance, "first")


def test_curves_by_hand():
    inputs = known_inputs(1)
    why = explain_by_occlusion(known, inputs)
    curve = deletion(known, inputs, why, "frames", batch_size=2)
    assert curve.shares.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    whole = known(inputs).softmax(dim=1)[0, 1]
    blurry = inputs | {"pixel_values_videos": blurred(inputs["pixel_values_videos"])}
    torch.testing.assert_close(curve.scores[0, 0], whole)
    torch.testing.assert_close(curve.scores[0, -1], known(blurry).softmax(dim=1)[0, 1])
    torch.testing.assert_close(curve.scores[0, 1], curve.scores[0, -1])  # one frame holds all
    expected = (curve.scores[0].sum() - (curve.scores[0, 0] + curve.scores[0, -1]) / 2) / 5
    torch.testing.assert_close(curve.area[0], expected)
    shown = insertion(known, inputs, why, "frames", order="least", alone=False)
    torch.testing.assert_close(shown.scores[0, -1], whole)
    torch.testing.assert_close(shown.scores[0, -2], curve.scores[0, -1])  # the frame comes last
    quiet = inputs | {"input_values": silence_of(inputs["input_values"]).expand_as(inputs["input_values"])}
    alone = insertion(known, inputs, why, "frames")
    torch.testing.assert_close(alone.scores[0, -1], known(quiet).softmax(dim=1)[0, 1])
    assert Curve(torch.linspace(0, 1, 5), torch.ones(2, 5)).area.tolist() == [1, 1]


def test_moments_that_are_fewer_than_frames_hide_all_of_theirs():
    inputs = known_inputs()
    why = explanation_of(when_visual=torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    curve = deletion(known, inputs, why, "frames")
    pixels = inputs["pixel_values_videos"]
    hidden = pixels.clone()
    hidden[0, :3], hidden[1, 3:] = blurred(pixels)[0, :3], blurred(pixels)[1, 3:]  # 5 frames: 0 to 2, and 3 to 4
    wanted = known(inputs | {"pixel_values_videos": hidden}).softmax(dim=1)
    torch.testing.assert_close(curve.scores[:, 1], wanted.gather(1, why.target[:, None])[:, 0])


def test_curves_that_cannot_be():
    inputs, why = known_inputs(), explanation_of(when_visual=torch.rand(2, FRAMES))
    with pytest.raises(ValueError, match=r"this explanation \(gradients\) has no when_audio"):
        deletion(known, inputs, why, "sound")
    with pytest.raises(ValueError, match="part must be one of patches"):
        deletion(known, inputs, why, "colours")
    with pytest.raises(
        ValueError, match=r"the explanation has 2 clips, when_visual \(2, 6\), but .* 2 clips of 5 frames"
    ):
        deletion(known, inputs, explanation_of(when_visual=torch.rand(2, 6)), "frames")
    with pytest.raises(ValueError, match="one view of each clip"):
        deletion(known, {"pixel_values_videos": torch.rand(2, 3, 5, 3, 8, 8)}, why, "frames")
    with pytest.raises(ValueError, match="batch_size must be 1 or more"):
        deletion(known, inputs, why, "frames", batch_size=0)


def test_hiding_touches_what_is_hidden_and_nothing_else():
    inputs = known_inputs() | {"audio_mask": torch.tensor([True, False]), "interpolate": True}
    cells = torch.zeros(1, FRAMES, 2, 3, dtype=torch.bool)
    cells[0, 1, 0, 2] = True
    steps = torch.tensor([[False, True, False]])
    hidden = Hider(inputs).hide(torch.tensor([1]), cells, steps)
    changed = (hidden["pixel_values_videos"] != inputs["pixel_values_videos"][1:]).any(dim=2)[0]
    assert changed[1, :16, 32:].float().mean() > 0.9
    changed[1, :16, 32:] = False
    assert not changed.any()
    silent = (hidden["input_values"] == inputs["input_values"][1].min()).all(dim=2)[0]
    assert silent.nonzero().flatten().tolist() == list(range(11, 22))  # of 32 rows: 32 / 3 to 64 / 3
    assert hidden["audio_mask"].tolist() == [False] and hidden["interpolate"] is True
    assert step_of_rows(32, 3).bincount().tolist() == [11, 11, 10]


def test_rank_correlation_is_spearmans():
    from scipy.stats import spearmanr

    one, other = torch.randint(0, 5, (4, 30)).double(), torch.randint(0, 5, (4, 30)).double()
    for clip, found in enumerate(rank_correlation(one, other)):
        assert found.item() == pytest.approx(spearmanr(one[clip], other[clip]).statistic)
    with pytest.raises(ValueError, match=r"of one shape, got \(4, 30\) and \(4, 29\)"):
        rank_correlation(one, other[:, :29])


def test_agreement_of_maps_in_different_cells():
    fine = torch.rand(2, 3, 4, 4)
    coarse = fine.unflatten(3, (2, 2)).unflatten(2, (2, 2)).mean(dim=(3, 5))
    alike = agreement_of(explanation_of(where=fine), explanation_of(where=coarse, when_visual=torch.rand(2, 3)))
    torch.testing.assert_close(alike["where"], torch.ones(2, dtype=torch.float64))
    assert alike["when_visual"] is None and alike["when_audio"] is None


@pytest.mark.parametrize("family", ["xvit", "ca2st"])
def test_a_copy_forgets_from_the_top_to_the_bottom(family):
    torch.manual_seed(1)
    if family == "xvit":
        model = XViTForVideoClassification(tiny_xvit_config())
    else:
        model = CA2STForVideoClassification(tiny_ca2st_config(experts=CA2ST))
    for parameter in model.parameters():  # as learned: nothing is as the class begins it
        parameter.data = torch.randn_like(parameter)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layers = layers_from_top(model)
    held = [id(p) for _, modules in layers for m, inside in modules for p in m.parameters(recurse=inside)]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters())  # each is in one layer
    changed, names, state = set(), [], torch.get_rng_state()
    for name, forgetful in randomised(model):
        now = {key for key, value in forgetful.state_dict().items() if not torch.equal(value, before[key])}
        assert changed < now, name
        changed = now
        names.append(name)
    parameters = {name for name, _ in model.named_parameters()}
    assert changed >= parameters and names == [name for name, _ in layers]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert "classifier" in names[0] and "embeddings" in names[-1] + names[-2]
    again = [copy.state_dict() for _, copy in randomised(model)][-1]
    assert all(torch.equal(value, again[key]) for key, value in forgetful.state_dict().items())
    with pytest.raises(ValueError, match="need a model of transformers"):
        next(randomised(torch.nn.Linear(2, 2)))


def test_sanity_tells_a_map_of_the_model_from_one_of_the_picture():
    model = XViTForVideoClassification(tiny_xvit_config()).eval()
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.3 * torch.randn_like(parameter)
    config = model.config
    inputs = {"pixel_values_videos": torch.rand(2, config.num_frames, 3, 16, 16)}

    def by_occlusion(model, inputs, target=None):
        return occlude(model, inputs, target, cells=(2, 2), progress=False)

    def by_brightness(model, inputs, target=None):
        videos = inputs["pixel_values_videos"].mean(dim=2).unflatten(3, (2, 8)).unflatten(2, (2, 8)).mean(dim=(3, 5))
        return explanation_of(where=videos, when_visual=videos.mean(dim=(2, 3)))

    honest = sanity_check(model, inputs, by_occlusion)
    blind = sanity_check(model, inputs, by_brightness)
    assert [row["layer"] for row in honest] == [name for name, _ in layers_from_top(model)]
    assert all(row["where"] == pytest.approx(1) for row in blind)  # the same whatever the model has learned
    assert abs(honest[-1]["where"]) < 0.7 and honest[-1]["when_audio"] is None
