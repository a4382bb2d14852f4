"""Metrics of the papers as `evaluate.Metric` classes: import them, or `evaluate.load` their files by path."""
