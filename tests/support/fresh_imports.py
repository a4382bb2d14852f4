"""Imports in some order, then what the Auto classes find; tests run this in a process of its own.

    python fresh_imports.py '["import holovid", "from transformers import AutoModel"]' SEEING_FOLDER HEARING_FOLDER

They run one after the other; those after "threads" each in a thread of its own, all at once. The last line of the
output is JSON: what was asked for -> name of the class that was found.
"""

import json
import sys
import threading


def run_imports(lines: list[str]) -> None:
    at = lines.index("threads") if "threads" in lines else len(lines)
    for line in lines[:at]:
        exec(line, {})
    start, failures = threading.Barrier(len(lines[at + 1 :]) or 1), []

    def run(line: str) -> None:
        start.wait()
        try:
            exec(line, {})
        except BaseException as failure:
            failures.append(f"{line}: {failure!r}")

    threads = [threading.Thread(target=run, args=(line,)) for line in lines[at + 1 :]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def look_up(seeing: str, hearing: str) -> dict[str, str]:
    import transformers as tf

    found = {
        "for_model": tf.AutoConfig.for_model("xvit"),
        "AutoFeatureExtractor, hearing": tf.AutoFeatureExtractor.from_pretrained(hearing),
    }
    for kind, folder in (("seeing", seeing), ("hearing", hearing)):
        config = tf.AutoConfig.from_pretrained(folder)
        found[f"AutoConfig, {kind}"] = config
        found[f"AutoModel, {kind}"] = tf.AutoModel.from_pretrained(folder)
        found[f"AutoModel.from_config, {kind}"] = tf.AutoModel.from_config(config)
        classifier = tf.AutoModelForVideoClassification
        found[f"AutoModelForVideoClassification, {kind}"] = classifier.from_pretrained(folder)
        found[f"AutoModelForVideoClassification.from_config, {kind}"] = classifier.from_config(config)
        found[f"AutoVideoProcessor, {kind}"] = tf.AutoVideoProcessor.from_pretrained(folder)
        found[f"AutoProcessor, {kind}"] = tf.AutoProcessor.from_pretrained(folder)
        found[f"pipeline, {kind}"] = tf.pipeline("video-classification", model=folder).model
    names = {what: f"{type(one).__module__}.{type(one).__name__}" for what, one in found.items()}
    # what lists of supported models are made of
    for listed in (tf.MODEL_MAPPING, tf.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING):
        assert {"XViTConfig", "CA2STConfig"} <= {config.__name__ for config in listed if config is not None}
    return names


if __name__ == "__main__":
    run_imports(json.loads(sys.argv[1]))
    print(json.dumps(look_up(*sys.argv[2:])))
