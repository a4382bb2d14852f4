"""WhereWhen: an audio-visual classifier that shows where in the frames and when in the audio a prediction comes from.

Inspired by Chen et al. 2021 (arXiv:2105.01517); we know only the abstract. There are no released weights, and the
paper's results are not for this model.
"""

from holovid.families.family import Family, Paper, Variant

PAPER = Paper(
    "Where and When: Space-Time Attention for Audio-Visual Explanations",
    "https://arxiv.org/abs/2105.01517",
    2021,
    """\
@article{chen2021where,
  title={Where and When: Space-Time Attention for Audio-Visual Explanations},
  author={Chen, Yanbei and Hummel, Thomas and Koepke, A. Sophia and Akata, Zeynep},
  journal={arXiv preprint arXiv:2105.01517},
  year={2021}
}""",
)

# small models that learn the synthetic clips in a minute, as in examples/demo.py
TOY = {
    "visual_config": {
        "model_type": "vit",
        "image_size": 48,
        "patch_size": 12,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "initializer_range": 0.12,
    },
    "audio_config": {
        "model_type": "audio-spectrogram-transformer",
        "max_length": 96,  # about a second: a multiple of the patches
        "num_mel_bins": 64,
        "patch_size": 16,
        "time_stride": 16,
        "frequency_stride": 16,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "initializer_range": 0.12,
    },
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "initializer_range": 0.12,
}

FAMILY = Family(
    model_type="where_when",
    variants=(
        Variant(
            name="wherewhen",
            title="WhereWhen",
            about="an image encoder and an audio encoder (AST); the logits are a sum of contributions of "
            "image regions and of moments of the audio",
            papers=(PAPER,),
            caveat="The design is inspired by the paper and does not reproduce it.",
        ),
    ),
    toy=TOY,
    hears=True,
    explanations={"intrinsic": "holovid.explanation.intrinsic:intrinsic"},
)
