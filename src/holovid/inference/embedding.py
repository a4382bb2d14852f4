"""Embeddings of clips, and of windows of films, in a Parquet file: similar clips have near vectors.

    model, processor = load("my-model")
    embed_clips(model, processor, named_clips(["videos/"]), "vectors.parquet")

N rows, D width of a vector.
"""

import base64
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
from transformers import BaseVideoProcessor, PreTrainedModel

from holovid.cheap_checks import check_vectors_file
from holovid.data.named_clips import NamedClip, path_from
from holovid.evaluation.prediction_log import Line
from holovid.files import new_file
from holovid.inference.films import SHORTEST, Film
from holovid.inference.going_on import Videos, fingerprint, go_through, made_by
from holovid.inference.pipeline import ON_BROKEN, VideoClassificationPipeline, check_finite
from holovid.inference.timelines import MOST_AT_ONCE, logits_of_windows
from holovid.inference.vectors import MADE_BY, NO_VECTORS, WHOLE, Vectors
from holovid.modeling.modeling_common import HolovidPreTrainedModel
from holovid.processing.options import check_number, check_whole_number
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

MOST_SHARDS = 2**20
NUMBER = np.dtype("<f4")  # of vectors in an unfinished run


def embed_clips(
    model: PreTrainedModel,
    processor: BaseVideoProcessor,
    clips: Sequence[NamedClip],
    target: str | os.PathLike,
    *,
    window: float | None = None,
    stride: float | None = None,
    shard: tuple[int, int] | None = None,
    batch_size: int = 1,
    num_workers: int = 0,
    on_broken: str = "raise",
    advance: Callable[[int], Any] = lambda done: None,
) -> pyarrow.Table:
    """Write the embeddings of clips to a Parquet file, and return the table.

    A row has the `path` of a file, `start` and `end` of a part of it in seconds, `vector` (D,) float32, and `error`,
    the reason if a clip could not be read. The vector comes from the model's `clip_features`; for a model of
    transformers, from the `pooler_output` of its base model, else the mean of its last hidden state over tokens.
    Several views are averaged. If the vector has several parts, such as one for each expert, each is also a column,
    named as in `clip_feature_parts`. Unfinished results are in `target`.partial; the same call resumes from them.

    Args:
        model: in eval mode, with or without a head; it computes where it is.
        processor: of the model, or its video processor.
        target: a file that ends in .parquet.
        window: seconds of windows that whole files are cut into, a row each; by default a file is one clip. Frames of
            a film are decoded once, and only those that a window still needs are in memory.
        stride: seconds from the start of one window to that of the next, by default `window`.
        shard: (i, n) is the i-th of n parts of the clips, from 1 on, so that n processes write a file each;
            `read_vectors` reads the folder of these files as one.
        batch_size: clips, or windows of a film, in one forward pass.
        num_workers: processes that decode clips; films in windows are decoded by this process.
        on_broken: for a clip that cannot be read, "raise", or "skip", which records the reason.
        advance: called with the number of finished clips or films.

    Raises `ValueError` for a model in training mode, numbers out of range, windows of a part of a file, vectors that
    are not finite, a run in which no clip could be read, and unfinished vectors of another model or other clips; and,
    unless skipped, `ValueError` or `OSError` for clips that cannot be read.
    """
    target = Path(target)
    check_vectors_file(target)
    check_whole_number("batch_size", batch_size, 1, MOST_AT_ONCE)
    if on_broken not in ON_BROKEN:
        raise ValueError(f"on_broken must be one of {', '.join(ON_BROKEN)}, got {on_broken!r}")
    embed = pipeline_of(model, processor)
    check_windows(clips, embed.video_processor, window, stride, num_workers)
    parts: tuple[str, ...] = getattr(model, "clip_feature_parts", ())
    if odd := {WHOLE, *NO_VECTORS} & set(parts):
        raise ValueError(f"parts of vectors cannot have the names of other columns: {', '.join(sorted(odd))}")
    all_clips = fingerprint(clips)
    clips = clips if shard is None else part_of_clips(clips, *shard)

    def lines_of(left: list[NamedClip]) -> Iterator[Line]:
        if window is not None:
            yield from (line_of_film(embed, clip, window, stride or window, batch_size, on_broken) for clip in left)
            return
        answers = embed(Videos(left), batch_size=batch_size, num_workers=num_workers, on_broken=on_broken)
        for clip, answer in zip(left, answers, strict=True):
            broken = isinstance(answer, dict)
            yield {"broken": answer["error"]} if broken else line_of_vectors(answer[None], [(clip.start, clip.end)])

    how = {"window": window, "stride": stride, "shard": shard, "list": all_clips}
    made = made_by(model, embed.video_processor)
    told = {
        "model": str(model.name_or_path), "weights": made["model"], "processor": made["processor"],
        "from": path_from(target.parent, os.curdir), **how,
    }  # fmt: skip
    tables: list[pyarrow.Table] = []

    def write(lines: list[Line]) -> None:
        tables.append(table_of_vectors(clips, lines, parts, told))
        with new_file(target) as unfinished:
            pyarrow.parquet.write_table(tables[0], unfinished)

    shard_of = {} if shard is None else {"shard": f"{shard[0]} of {shard[1]}"}
    facts = {**made, "window": window, "stride": stride, **shard_of}
    go_through(target, clips, lines_of, facts, write, advance)
    return tables[0]


class ClipEmbeddingPipeline(VideoClassificationPipeline):
    """Returns, for each video, its vector (D,) float32 instead of labels."""

    outputs_are = "vectors"

    def check_model_type(self, supported_models: Any) -> None:
        """Models without a classifier have vectors too."""

    def answers_of(self, model_inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        model: Any = self.model
        if isinstance(model, HolovidPreTrainedModel):
            return model.clip_features(**model_inputs).float()
        # some transformers models name pixel_values_videos pixel_values
        named = {"pixel_values_videos": model.main_input_name}
        outputs = model.base_model(**{named.get(name, name): values for name, values in model_inputs.items()})
        pooled = getattr(outputs, "pooler_output", None)
        return (outputs.last_hidden_state.mean(dim=1) if pooled is None else pooled).float()

    def told(self, model_outputs: Any, **options: Any) -> np.ndarray:
        return model_outputs.logits[0].numpy()


def embed_clip(model: PreTrainedModel, processor: BaseVideoProcessor, video: Any, column: str = WHOLE) -> np.ndarray:
    """The vector (D,) of one video: a path, URL, bytes or frames, as a pipeline takes it.

    Args:
        column: "vector", or the name of a part.

    Raises `ValueError` for a model in training mode, an unknown part, a vector that is not finite, and a video that
    cannot be read.
    """
    parts: tuple[str, ...] = getattr(model, "clip_feature_parts", ())
    if column not in (WHOLE, *parts):
        there = ", ".join((WHOLE, *parts))
        raise ValueError(f"vectors of a {type(model).__name__} have no column {column!r}; there are {there}")
    vector = pipeline_of(model, processor)(video)
    return vector if column == WHOLE else np.split(vector, len(parts))[parts.index(column)]


def check_maker(vectors: Vectors, model: PreTrainedModel, processor: Any, file: str, source: str) -> None:
    """Raise `ValueError` unless a model and its processor, from `source`, are those that made the vectors of `file`.

    Vectors of models of one width can be compared, but what is near in them means nothing.
    """
    made = made_by(model, getattr(processor, "video_processor", processor))
    for name, what, now in (
        ("weights", "weights", made["model"]),
        ("processor", "processor settings", made["processor"]),
    ):
        if vectors.fingerprints.get(name, now) != now:
            raise ValueError(
                f"{file} was made by other {what} than {source} holds: run holovid embed again, or name that model "
                "with --model"
            )


def part_of_clips(clips: Sequence[NamedClip], number: int, count: int) -> Sequence[NamedClip]:
    """The clips of a shard, which are neighbours, so that shards in order are all clips in order.

    >>> [clip.path for clip in part_of_clips([NamedClip(name) for name in "abcde"], 2, 2)]
    ['c', 'd', 'e']
    """
    check_whole_number("the number of shards", count, 1, MOST_SHARDS)
    check_whole_number("the shard", number, 1, count)
    if len(clips) < count:
        raise ValueError(f"{len(clips)} clips cannot make {count} shards")
    return clips[len(clips) * (number - 1) // count : len(clips) * number // count]


def pipeline_of(model: PreTrainedModel, processor: Any) -> ClipEmbeddingPipeline:
    if model.training:
        raise ValueError("the model is in training mode, where dropout makes its vectors random; call model.eval()")
    return ClipEmbeddingPipeline(
        model=model, video_processor=getattr(processor, "video_processor", processor), device=model.device
    )


class UnreadFilmError(Exception):
    """Its cause says why a film cannot be read; it is not an error of the model, which computes in between."""


def line_of_film(
    embed: ClipEmbeddingPipeline, clip: NamedClip, window: float, stride: float, batch_size: int, on_broken: str
) -> Line:
    try:
        with reading(clip, embed.video_processor, window, stride) as film:
            inputs = readable_inputs(embed, film)
            vectors = torch.cat(list(logits_of_windows(embed, inputs, batch_size))).numpy()
            ends = np.minimum(film.starts + film.window, film.seconds)
            return line_of_vectors(vectors, list(zip(film.starts.tolist(), ends.tolist(), strict=True)))
    except UnreadFilmError as unread:
        cause: Any = unread.__cause__
        if on_broken == "raise":
            raise cause from None
        return {"broken": str(cause)}


def reading(clip: NamedClip, processor: Any, window: float, stride: float) -> Film:
    try:
        return Film(clip.path, processor, window, stride)
    except (ValueError, OSError) as error:
        raise UnreadFilmError from error


def readable_inputs(embed: ClipEmbeddingPipeline, film: Film) -> Iterator[dict[str, torch.Tensor]]:
    try:
        for part in film.windows():
            yield embed.preprocess(part, do_random_sampling=False)
    except (ValueError, OSError) as error:
        raise UnreadFilmError from error


def check_windows(
    clips: Iterable[NamedClip], processor: Any, window: float | None, stride: float | None, num_workers: int
) -> None:
    if window is None:
        if stride is not None:
            raise ValueError("stride is the step from one window to the next: pass window as well")
        return
    check_number("window", window, SHORTEST)
    check_number("stride", window if stride is None else stride, SHORTEST)
    if num_workers:
        raise ValueError("windows of a film are decoded in order by one process: leave out workers, or window")
    if not isinstance(processor, HolovidVideoProcessor):
        raise ValueError(f"windows need a HolovidVideoProcessor, got a {type(processor).__name__}")
    for clip in clips:
        if clip.start is not None or clip.end is not None:
            raise ValueError(f"windows are cut from whole files, but {clip.name} is a part of one: leave out window")


def line_of_vectors(vectors: np.ndarray, spans: Sequence[tuple[float | None, float | None]]) -> Line:
    """Vectors (N, D) and their seconds as a JSON line; as numbers they would take four times the space."""
    check_finite(torch.from_numpy(vectors), "vectors")
    return {"spans": spans, "vectors": base64.b64encode(vectors.astype(NUMBER).tobytes()).decode()}


def vectors_in(line: Line) -> np.ndarray:
    return np.frombuffer(base64.b64decode(line["vectors"]), NUMBER).reshape(len(line["spans"]), -1)


def table_of_vectors(
    clips: Sequence[NamedClip], lines: Sequence[Line], parts: Sequence[str], made_by: dict[str, Any]
) -> pyarrow.Table:
    """A row for each vector, and one for each clip without. Raises `ValueError` if there is no vector at all."""
    width = next((vectors_in(line).shape[1] for line in lines if "spans" in line), None)
    if width is None:
        why = f"; the first: {lines[0]['broken']}" if lines else ""
        raise ValueError(f"none of {len(lines)} clips could be read{why}")
    widths = {WHOLE: width} | dict.fromkeys(parts, width // max(len(parts), 1))
    columns = {
        "path": pyarrow.string(), "start": pyarrow.float64(), "end": pyarrow.float64(),
        **{name: pyarrow.list_(pyarrow.float32(), some) for name, some in widths.items()},
        "error": pyarrow.string(),
    }  # fmt: skip
    schema = pyarrow.schema(list(columns.items()), metadata={MADE_BY: json.dumps(made_by)})
    batches = []
    for clip, line in zip(clips, lines, strict=True):
        spans = line.get("spans", [(clip.start, clip.end)])
        starts, ends = zip(*spans, strict=True)
        if "broken" in line:
            vectors = [pyarrow.nulls(1, columns[name]) for name in widths]
        else:
            whole = vectors_in(line)
            shares = [whole, *(np.split(whole, len(parts), axis=1) if parts else [])]
            vectors = [
                pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(share.ravel()), type=columns[name])
                for name, share in zip(widths, shares, strict=True)
            ]
        values = [[clip.path] * len(spans), starts, ends, *vectors, [line.get("broken")] * len(spans)]
        batches.append(pyarrow.record_batch(
            [
                value if isinstance(value, pyarrow.Array) else pyarrow.array(value, kind)
                for value, kind in zip(values, columns.values(), strict=True)
            ],
            schema=schema,
        ))  # fmt: skip
    return pyarrow.Table.from_batches(batches, schema).combine_chunks()


__all__ = ["embed_clip", "embed_clips"]
