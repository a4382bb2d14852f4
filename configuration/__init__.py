"""One configuration file per model family."""
