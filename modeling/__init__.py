"""One model file per model family."""
