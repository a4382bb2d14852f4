"""`holovid explain`: show which seconds and image regions a prediction comes from."""

from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import (
    EXPLANATION_FILES,
    check_clip,
    check_device,
    check_explanation_file,
    check_keeps_source,
    check_model_name,
)
from holovid.commands.options import Classifier, TrustRemoteCode
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import print_json, say
from holovid.extras import check_there


def explain(
    model: Classifier,
    clip: Annotated[str, typer.Argument(help="Path or URL of a video.")],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write a picture of frames and times (.png), the clip with maps over it (.mp4), or a page with both "
            "(.html)."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Name or number of the class to explain. Default: the predicted class.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="intrinsic, relevance, gradients or occlusion; auto: the best one for the model.")
    ] = "auto",
    task: Annotated[
        str | None, typer.Option(help="Task to explain, for models with several: verb or noun. Default: the first.")
    ] = None,
    device: Annotated[str, typer.Option(help="Device for the model: cpu, cuda, cuda:1, mps or xpu.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all maps instead of text.")] = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Explain a prediction: which seconds of a video it comes from, and where in the frames.

    holovid explain my-model clip.mp4 --output why.png
    """
    if output is not None:
        check_explanation_file(output)
        check_keeps_source(output, clip)
    check_model_name(model)
    check_clip(clip)
    check_device(device)
    if output is not None:
        check_there("matplotlib", "a picture of an explanation")
    be_quiet()

    from holovid.devices import move_to
    from holovid.inference.explained_clip import explain_clip
    from holovid.loading import load_classifier

    classifier, processor = load_classifier(model, trust_remote_code)
    labels = [] if classifier.config.label2id is None else classifier.config.label2id
    wanted = int(target) if target is not None and target.isdecimal() and target not in labels else target
    explained = explain_clip(move_to(classifier.eval(), device), processor, clip, wanted, method, task, not as_json)
    if output is not None:
        from holovid.inference.explanation_files import write_explanation

        write_explanation(explained, output)
    if as_json:
        print_json(explained.record())
        return
    say(f"{explained.label} {explained.score:.3f}, {explained.reason.sentence}")
    say(f"Method: {explained.why.method}")
    if output is not None:
        say(f"{EXPLANATION_FILES[output.suffix.lower()]}: {output}")
