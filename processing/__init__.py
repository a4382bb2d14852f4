"""From a video file to the tensors the models read."""
