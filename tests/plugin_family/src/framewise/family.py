"""The record of the frame-wise family: all that holovid learns about it."""

from holovid.families import Family, Paper, Variant
from holovid.recipes import Recipe

TOY = {
    "image_size": 48, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64,
}  # fmt: skip

FAMILY = Family(
    model_type="framewise",
    variants=(
        Variant(
            name="framewise",
            title="Framewise",
            about="an image transformer that sees each frame by itself, whose features are averaged",
            papers=(Paper("Each Frame by Itself", "https://example.org/framewise", 2026, "@misc{framewise}"),),
            converter="framewise.converting:framewise",
        ),
    ),
    toy=TOY,
    recipes=(
        Recipe(
            name="framewise-small",
            summary="the frame-wise model from scratch",
            family="framewise",
            optimizer="adamw",
            learning_rate=2e-3,
            reference_batch_size=8,
            weight_decay=0.05,
            no_decay="vectors_and_positions",
            epochs=2,
            batch_size=8,
            warmup_epochs=0,
            cosine_from="warmup",
            augmentation="none",
            num_frames=4,
            sampling="uniform",
            ensemble="probabilities",
            model={
                "image_size": 48,
                "patch_size": 16,
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "intermediate_size": 64,
            },
        ),
    ),
    ensemble="probabilities",
    package="framewise",
)
