"""Upload a saved model and its processor in all ways there are; tests/test_hub.py runs this against its own Hub.

python push_to_hub.py SAVED_FOLDER WORK_FOLDER
"""

import sys

import torch
from transformers import AutoVideoProcessor, Trainer, TrainingArguments

from holovid import VideoClassificationPipeline, XViTForVideoClassification

if __name__ == "__main__":
    folder, work = sys.argv[1:]
    model = XViTForVideoClassification.from_pretrained(folder)
    processor = AutoVideoProcessor.from_pretrained(folder)

    model.push_to_hub("tiny-xvit")
    processor.push_to_hub("tiny-xvit")

    # The second way uploads what changed in the folder; here, source is there already from the first save.
    for part in (model, processor):
        part.save_pretrained(work)
        part.save_pretrained(work, push_to_hub=True, repo_id="me/saved-and-pushed")
    model.config.push_to_hub("config-alone")
    VideoClassificationPipeline(model, video_processor=processor).push_to_hub("pipeline")

    # While it trains, Trainer uploads files that it picks out of its checkpoints.
    size = model.config.num_frames, model.config.num_channels, *model.config.frame_size
    options = TrainingArguments(
        f"{work}/trained", push_to_hub=True, max_steps=1, save_steps=1, report_to="none", use_cpu=True
    )
    clips = [{"pixel_values_videos": torch.zeros(size), "labels": 0}] * 2
    Trainer(model, options, train_dataset=clips, processing_class=processor).train()
