"""The page of `holovid app`: what models say of a clip, why, and what changes when it is muted or shuffled."""
