"""Models at work: the pipeline, streams, exported files, and pictures of what a model saw."""
