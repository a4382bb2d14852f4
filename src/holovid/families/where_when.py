"""WhereWhen: where in frames and when in sound an answer comes from.

Inspired by Chen et al. 2021 (arXiv:2105.01517), of which only the abstract is known here. There are no released
weights, and no figures of the paper's are of this model.
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

# Models for the synthetic clips that learn them in a minute, as in examples/demo.py.
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
        "max_length": 96,  # a second, but for what the windows of the spectrogram leave over
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
            about="an image model and AST, whose answer is a sum over what is seen where and what is heard when",
            papers=(PAPER,),
            caveat="The design is inspired by the paper and does not reproduce it.",
        ),
    ),
    toy=TOY,
    hears=True,
    explanations={"intrinsic": "holovid.explanation.intrinsic:intrinsic"},
)
