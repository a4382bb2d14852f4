"""The layout of the page, made with gradio: a clip at the top, and below it a column for each model."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holovid.commands.command_line import sentence
from holovid.extras import needed
from holovid.page.answers import PageModel
from holovid.page.uploads import check_upload

with needed("gradio", "the page"):
    import gradio

TITLE = "What happens in a clip, and why"
ABOUT = (
    "Upload or record a clip. The map shows which image regions the model uses, and the time axis which moments of "
    "video and audio. The table shows how its scores change if the clip is muted or its frames are shuffled."
)
STYLE = """
.scores { border-collapse: collapse; width: 100%; }
.scores th, .scores td { text-align: right; padding: 0.2rem 0.6rem; }
.scores th:first-child, .scores td:first-child { text-align: left; }
.problem { color: #b42318; font-weight: 600; }
footer { display: none !important; }
"""
CACHE_SECONDS = 3600  # how long uploads and answers are kept, and how often old ones are deleted


def page_video(**options: Any) -> gradio.Video:
    """A video component that takes uploads and recordings, shows mp4 files unchanged, and refuses URLs.

    It is not a class of its own, since gradio writes a file beside the source of each component class.
    """
    video = gradio.Video(**options)
    take = video.async_move_resource_to_block_cache

    def shown(value: str | Path | None) -> gradio.FileData | None:
        # gradio would check with ffprobe, which may be missing, whether browsers play it; our mp4 files are playable
        return None if value is None else gradio.FileData(path=str(value), orig_name=Path(value).name)

    async def taken(url_or_file_path: Any) -> str | None:
        if str(url_or_file_path or "").lower().startswith(("http:", "https:")):
            raise gradio.Error("this page does not open URLs: upload the clip itself")
        return await take(url_or_file_path)

    vars(video).update(postprocess=shown, async_move_resource_to_block_cache=taken)
    return video


def shown_problem(error: Exception, clip: Path) -> str:
    """An error as HTML, without the folder of the clip on this machine."""
    said = sentence(error).replace(str(clip), clip.name).replace(f"{clip.parent}/", "")
    return f"<p class='problem'>{html.escape(said)}</p>"


def shown_answer(model: PageModel, clip: Path, folder: Path) -> tuple[str, str | None, str | None]:
    """The column of a model: HTML, the path of a video and the path of a picture."""
    try:
        answer = model.answer(clip, folder)
    except Exception as error:  # every error is shown as a sentence
        return shown_problem(error, clip), None, None
    words = f"<b class='answer'>{html.escape(answer.label)}</b>, {html.escape(answer.sentence)}"
    return f"<p>{words} (method: {answer.method})</p>{answer.table()}", str(answer.video), str(answer.picture)


def build_page(models: Sequence[PageModel], examples: Sequence[Path], folder: Path) -> gradio.Blocks:
    """The page for one or several models, side by side.

    Args:
        models: models that answer.
        examples: example clips.
        folder: folder for the answers' files.
    """

    def answer(clip: str | None) -> list[Any]:
        nothing = ["", None, None] * len(models)
        if clip is None:
            return ["", *nothing]
        try:
            check_upload(Path(clip))
        except Exception as error:  # shown once, rather than in each column
            return [shown_problem(error, Path(clip)), *nothing]
        return ["", *(part for model in models for part in shown_answer(model, Path(clip), folder))]

    with gradio.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(CACHE_SECONDS, CACHE_SECONDS)) as page:
        gradio.Markdown(f"# {TITLE}\n{ABOUT}")
        with gradio.Row():
            clip = page_video(
                label="Clip", sources=["upload", "webcam"], include_audio=True, height=340, elem_id="clip",
                webcam_options=gradio.WebcamOptions(mirror=False),
            )  # fmt: skip
            if examples:
                gradio.Examples([str(path) for path in examples], clip, cache_examples=False, label="Examples")
        shown: list[gradio.components.Component] = [gradio.HTML(elem_id="problem")]
        with gradio.Row():
            for number, model in enumerate(models):
                with gradio.Column(min_width=320):
                    gradio.Markdown(f"### {model_heading(model.name)}")
                    shown += [
                        gradio.HTML(elem_id=f"answer-{number}", min_height=60),
                        page_video(label="Where", interactive=False, height=280, elem_id=f"video-{number}"),
                        gradio.Image(
                            label="Where and when", type="filepath", format="png", interactive=False,
                            elem_id=f"picture-{number}",
                        ),
                    ]  # fmt: skip
        # one clip at a time, since all models share the machine
        clip.change(answer, clip, shown, api_visibility="private", concurrency_limit=1)
    return page


def model_heading(name: str) -> str:
    """The name of a model without its folder, with Markdown characters escaped."""
    shown = Path(name).name if Path(name).is_dir() else name
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+!|" else letter for letter in shown)
