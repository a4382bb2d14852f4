"""What model cards say of parity: how far logits are from those that the released code computed, in tests/golden.

Tensors are renamed and copied, so what is left is the rounding of float32 in another order of the same sums. Where
weights are drawn large ("sharp"), logits are, and attention is far from uniform.
"""

from collections import Counter

import pytest
import torch
from golden_numbers import (
    AVT_MODELS,
    CA2ST_MODELS,
    STARVQA_MODELS,
    TIMESFORMER_MODELS,
    VIDEO_SWIN_MODELS,
    XVIT_MODELS,
    avt_inputs,
    avt_settings,
    avt_weights,
    ca2st_inputs,
    converter_settings,
    golden,
    golden_input,
    golden_weights,
    logit_pairs,
    timesformer_settings,
    video_swin_settings,
    video_swin_weights,
    xvit_settings,
)

from holovid.conversion.convert import from_reference
from holovid.families.family import variants
from holovid.publishing.papers import PARITY_BOUND


def test_cards_count_the_models():
    found = Counter(golden(f"ca2st/{name}.json")["config"]["model"] for name in CA2ST_MODELS)
    others = {
        "xvit": len(XVIT_MODELS),
        "timesformer": len(TIMESFORMER_MODELS),
        "starvqa": len(STARVQA_MODELS),
        "videoswin": len(VIDEO_SWIN_MODELS),
        "avt": len(AVT_MODELS),
    }
    assert found | others == {name: variant.parity for name, variant in variants().items() if variant.converter}


@pytest.mark.parametrize("name", XVIT_MODELS)
@torch.no_grad()
def test_xvit(name):
    case = golden(f"xvit/{name}.json")
    model = from_reference(golden_weights(case), "xvit", **xvit_settings(case))
    assert_near(model(golden_input(case).transpose(1, 2)).logits, torch.tensor(case["logits"]))


@pytest.mark.parametrize("name", TIMESFORMER_MODELS)
@torch.no_grad()
def test_timesformer(name):
    case = golden(f"timesformer/{name}.json")
    model = from_reference(golden_weights(case), "timesformer", **timesformer_settings(case))
    frames = golden_input(case).transpose(1, 2)
    assert_near(model(frames, interpolate_pos_encoding=True).logits, torch.tensor(case["logits"]["values"]))


@pytest.mark.parametrize("name", STARVQA_MODELS)
@torch.no_grad()
def test_starvqa(name):
    case = golden(f"starvqa/{name}.json")
    model = from_reference(golden_weights(case), "starvqa", num_attention_heads=case["config"]["num_heads"])
    assert_near(model(golden_input(case).transpose(1, 2)).logits, torch.tensor(case["logits"]["values"]))


@pytest.mark.parametrize("name", CA2ST_MODELS)
@torch.no_grad()
def test_ca2st(name):
    case = golden(f"ca2st/{name}.json")
    model = from_reference(golden_weights(case), case["config"]["model"], **converter_settings(case))
    pairs = logit_pairs(case, model(**ca2st_inputs(case)))
    assert_near(*(torch.cat([logits.flatten() for logits in each]) for each in zip(*pairs, strict=True)))


@pytest.mark.parametrize("name", VIDEO_SWIN_MODELS)
@torch.no_grad()
def test_video_swin(name):
    case = golden(f"videoswin/{name}.json")
    model = from_reference(video_swin_weights(case), "videoswin", **video_swin_settings(case))
    assert_near(model(golden_input(case).transpose(1, 2)).logits, torch.tensor(case["logits"]["values"]))


@pytest.mark.parametrize("name", AVT_MODELS)
@torch.no_grad()
def test_avt(name):
    """Of longer rollouts the mean of the last features, and of crops the mean of logits."""
    case = golden(f"avt/{name}.json")
    model = from_reference(avt_weights(case), "avt", **avt_settings(case))
    inputs, crops = avt_inputs(case)
    head = case["config"]["head"]
    features = model.avt.rollout(**inputs, steps=head.get("output_len_eval", 1))[:, -head["avg_last_n"] :].mean(1)
    logits = model.classifiers["action"](features).unflatten(0, (-1, crops)).mean(1)
    assert_near(logits, torch.tensor(case["logits"]["action"]["values"]))


def assert_near(logits: torch.Tensor, reference: torch.Tensor) -> None:
    assert (logits - reference).abs().max() <= float(PARITY_BOUND) * reference.abs().max()
