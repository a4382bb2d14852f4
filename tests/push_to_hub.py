"""Upload a saved model and its processor in the two ways there are; tests/test_hub.py runs this against its own Hub.

python push.py FOLDER WORK_FOLDER
"""

import sys

from transformers import AutoVideoProcessor

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
