"""The page itself, made with gradio: a clip on top, and a column for each model below."""

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
    "Drop a clip, or record one. The map shows where the model looked, the axis of time when that was and when it "
    "listened; the table what it says when the clip is muted, or its frames are in another order."
)
STYLE = """
.scores { border-collapse: collapse; width: 100%; }
.scores th, .scores td { text-align: right; padding: 0.2rem 0.6rem; }
.scores th:first-child, .scores td:first-child { text-align: left; }
.problem { color: #b42318; font-weight: 600; }
footer { display: none !important; }
"""
CACHE_SECONDS = 3600  # that uploads and answers are kept, and how often is looked for older ones


def page_video(**options: Any) -> gradio.Video:
    """A video that is uploaded, recorded or shown as it is; addresses are not fetched.

    No class of its own: gradio writes a file beside the source of each class of components.
    """
    video = gradio.Video(**options)
    take = video.async_move_resource_to_block_cache

    def shown(value: str | Path | None) -> gradio.FileData | None:
        # gradio asks programs that may be missing whether browsers play it; what is shown here is an mp4 of ours
        return None if value is None else gradio.FileData(path=str(value), orig_name=Path(value).name)

    async def taken(url_or_file_path: Any) -> str | None:
        if str(url_or_file_path or "").lower().startswith(("http:", "https:")):
            raise gradio.Error("upload the clip itself: this page fetches no addresses")
        return await take(url_or_file_path)

    vars(video).update(postprocess=shown, async_move_resource_to_block_cache=taken)
    return video


def shown_problem(error: Exception, clip: Path) -> str:
    """What is wrong with a clip, as HTML: a sentence that does not say where this machine keeps the clip."""
    said = sentence(error).replace(str(clip), clip.name).replace(f"{clip.parent}/", "")
    return f"<p class='problem'>{html.escape(said)}</p>"


def shown_answer(model: PageModel, clip: Path, folder: Path) -> tuple[str, str | None, str | None]:
    """What stands in the column of a model: HTML, the path of a video and the path of a picture."""
    try:
        answer = model.answer(clip, folder)
    except Exception as error:  # whoever looks at the page reads a sentence, whatever it is
        return shown_problem(error, clip), None, None
    words = f"<b class='answer'>{html.escape(answer.label)}</b>, {html.escape(answer.sentence)}"
    return f"<p>{words} (method: {answer.method})</p>{answer.table()}", str(answer.video), str(answer.picture)


def build_page(models: Sequence[PageModel], examples: Sequence[Path], folder: Path) -> gradio.Blocks:
    """The page for one model or several, one beside the other.

    Args:
        models: that answer.
        examples: clips to choose from.
        folder: where answers are written.
    """

    def answer(clip: str | None) -> list[Any]:
        nothing = ["", None, None] * len(models)
        if clip is None:
            return ["", *nothing]
        try:
            check_upload(Path(clip))
        except Exception as error:  # said once, not by each model
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
        # one clip at a time: models share the processor of the machine
        clip.change(answer, clip, shown, api_visibility="private", concurrency_limit=1)
    return page


def model_heading(name: str) -> str:
    """The name of a model without the folder that it is in, and without what Markdown would read."""
    shown = Path(name).name if Path(name).is_dir() else name
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+!|" else letter for letter in shown)
