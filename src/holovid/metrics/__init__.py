"""Metrics of the papers: functions of arrays, and `evaluate.Metric`s of them, which `evaluate.load` loads by path.

from holovid.metrics.top_k_accuracy import TopKAccuracy, top_k_accuracy
"""
