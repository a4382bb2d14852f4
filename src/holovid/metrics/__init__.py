"""Metrics of the papers, as functions of arrays and as `evaluate.Metric`s, which `evaluate.load` loads by path.

from holovid.metrics.top_k_accuracy import TopKAccuracy, top_k_accuracy
"""
