"""The page of `holovid app`: what models predict for a clip, why, and without audio or with shuffled frames."""
