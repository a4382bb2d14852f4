"""Processors: from a video file to a model's inputs."""
