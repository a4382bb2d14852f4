"""`holovid classify`: predict the labels of videos."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_model_name, check_new_file
from holovid.commands.command_line import PROGRAM
from holovid.commands.options import SKIPPED, AsJson, Classifier, TopK, TrustRemoteCode, Work, check_sources
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import answer_record, answer_table, say, scale_of, show
from holovid.extras import check_there

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
TABLES = (".csv", ".parquet")
OUTPUTS = (*TABLES, ".json")


def classify(
    model: Classifier,
    clips: Annotated[
        list[str],
        typer.Argument(help="Videos: files, URLs, folders, or tables (.csv, .parquet) with a column named path."),
    ],
    work: Work,
    top_k: TopK = 5,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the predictions to this file (.csv, .json, .parquet). Run the same command again to continue "
            "a run that was stopped."
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw the frames and predictions into this file (.png, .jpg, .webp).")
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="With --picture: also show where in the clip each prediction comes from.")
    ] = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Predict the labels of videos, or their quality scores.

    holovid classify my-model clip.mp4 --top-k 3 --picture sheet.png

    Many videos, from a folder or a table, into a file:

    holovid classify my-model videos/ --output answers.csv --batch-size 8 --workers 4 --on-broken skip
    """
    check_request(clips, work, output, picture, why)
    check_model_name(model)
    be_quiet()

    from rich.console import Console
    from rich.progress import Progress
    from transformers import pipeline

    from holovid import VideoClassificationPipeline
    from holovid.data.named_clips import named_clips
    from holovid.devices import move_to
    from holovid.files import new_file
    from holovid.inference.clip_inputs import frame_count
    from holovid.inference.contact_sheet import contact_sheet, stack
    from holovid.inference.explained_clip import explained_sheet
    from holovid.inference.going_on import Videos, made_by
    from holovid.inference.labelling import Answer, label_into
    from holovid.loading import load_classifier
    from holovid.modeling.tasks import tasks_of

    found = named_clips(clips, TABLES)
    network, processor = load_classifier(model, trust_remote_code)
    network = move_to(network, work.device)
    classifier = pipeline(
        "video-classification",
        model=network,
        video_processor=processor,
        pipeline_class=VideoClassificationPipeline,
        device=network.device,
    )

    def answers_of(videos: Videos) -> Iterable[Answer]:
        return classifier(
            videos, top_k=top_k, on_broken=work.on_broken, batch_size=work.batch_size, num_workers=work.workers
        )

    with Progress(console=Console(stderr=True), transient=True, disable=as_json or len(found) == 1) as progress:
        clock = progress.add_task("Classifying clips", total=len(found))
        if output is None:
            answers = [*progress.track(answers_of(Videos(found)), task_id=clock)]
        else:
            facts = {**made_by(network, processor), "top_k": top_k}
            answers = label_into(output, found, answers_of, facts, lambda done: progress.advance(clock, done))
    names = [clip.name for clip in found]
    answered = [(clip, answer) for clip, answer in zip(found, answers, strict=True) if isinstance(answer, list)]
    is_share = all(task.kind != "score" for task in tasks_of(network, network.config))
    scale = {} if is_share else scale_of(network.config)
    if picture is not None and answered:
        sheets = [
            explained_sheet(network, processor, clip.video, answer, is_share, not as_json)
            if why
            else contact_sheet(processor, clip.video, answer, clip.name, is_share, frame_count(network.config))
            for clip, answer in answered
        ]
        picture.parent.mkdir(parents=True, exist_ok=True)
        with new_file(picture) as unfinished:
            stack(sheets).save(unfinished)
    if as_json or output is None:
        records = [answer_record(*pair, scale) for pair in zip(names, answers, strict=True)]
        show(records, answer_table(names, answers, scale), as_json)
    if output is not None and not as_json:
        say(f"Predictions for {len(answered)} clips: {output}")
    if picture is not None and answered and not as_json:
        say(f"Picture: {picture}")
    if len(answered) < len(found):
        print(f"{PROGRAM}: {len(found) - len(answered)} of {len(found)} clips could not be read", file=sys.stderr)
        raise typer.Exit(SKIPPED)


def check_request(clips: list[str], work: Work, output: Path | None, picture: Path | None, why: bool) -> None:
    """Raise `ValueError` for wrong options, before the model is loaded."""
    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise ValueError(f"--picture must end in .png, .jpg or .webp, got {picture}")
    if why and picture is None:
        raise ValueError("--why needs a picture to draw into: add --picture sheet.png")
    if why:
        check_there("matplotlib", "--why")
    if output is not None and output.suffix.lower() not in OUTPUTS:
        raise ValueError(f"--output must end in .csv, .json or .parquet, got {output}")
    for path in (output, picture):
        if path is not None:
            check_new_file(path)
    check_sources(clips, work)
