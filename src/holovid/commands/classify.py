"""`holovid classify`: what happens in videos."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from holovid.cheap_checks import check_clip, check_model_name
from holovid.commands.command_line import PROGRAM
from holovid.commands.options import AsJson, Classifier, TopK, TrustRemoteCode
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import answer_record, answer_table, say, scale_of, show

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SKIPPED = 1  # exit status when some clips could not be read
OnBroken = Literal["raise", "skip"]


def classify(
    model: Classifier,
    clips: Annotated[list[str], typer.Argument(help="Paths or URLs of videos.")],
    top_k: TopK = 5,
    as_json: AsJson = False,
    on_broken: Annotated[
        OnBroken, typer.Option(help="At a clip that cannot be read: end (raise), or say why and go on, with status 1.")
    ] = "raise",
    picture: Annotated[Path | None, typer.Option(help="Also draw what the model saw and said (.png, .jpg).")] = None,
    why: Annotated[bool, typer.Option("--why", help="In the picture, show where the answer comes from.")] = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Say what happens in videos, or how good they look.

    holovid classify my-model clip.mp4 --top-k 3 --picture sheet.png
    """
    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise ValueError(f"--picture must end in .png, .jpg or .webp, got {picture}")
    if why and picture is None:
        raise ValueError("--why is drawn into a picture: add --picture sheet.png")
    check_model_name(model)
    if on_broken == "raise":
        for clip in clips:
            check_clip(clip)
    be_quiet()

    from transformers import pipeline

    from holovid import VideoClassificationPipeline
    from holovid.files import new_file
    from holovid.inference.contact_sheet import contact_sheet, stack
    from holovid.inference.explained_clip import explained_sheet
    from holovid.loading import load_classifier
    from holovid.modeling.tasks import tasks_of

    network, processor = load_classifier(model, trust_remote_code)
    classifier = pipeline(
        "video-classification",
        model=network,
        video_processor=processor,
        pipeline_class=VideoClassificationPipeline,
    )
    answers = [classifier(clip, top_k=top_k, on_broken=on_broken) for clip in clips]
    answered = [(clip, answer) for clip, answer in zip(clips, answers, strict=True) if "error" not in answer]
    is_share = all(task.kind != "score" for task in tasks_of(network, network.config))
    scale = {} if is_share else scale_of(network.config)
    if picture is not None and answered:
        if why:
            sheets = [
                explained_sheet(network, processor, clip, answer, is_share, not as_json) for clip, answer in answered
            ]
        else:
            sheets = [contact_sheet(processor, clip, answer, clip, is_share) for clip, answer in answered]
        picture.parent.mkdir(parents=True, exist_ok=True)
        with new_file(picture) as unfinished:
            stack(sheets).save(unfinished)
    records = [answer_record(*pair, scale) for pair in zip(clips, answers, strict=True)]
    show(records, answer_table(clips, answers, scale), as_json)
    if picture is not None and answered and not as_json:
        say(f"Picture: {picture}")
    if len(answered) < len(clips):
        print(f"{PROGRAM}: {len(clips) - len(answered)} of {len(clips)} clips could not be read", file=sys.stderr)
        raise typer.Exit(SKIPPED)
