"""`holovid search`: clips that look like one."""

from typing import Annotated

import typer

from holovid.cheap_checks import check_clip, check_device, check_model_name
from holovid.commands.options import AsJson, Column, TrustRemoteCode, VectorsFile
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import nearest_table, show


def search(
    vectors: VectorsFile,
    clip: Annotated[str | None, typer.Argument(help="Path or URL of a video to look for.")] = None,
    row: Annotated[int | None, typer.Option(min=0, help="Look for this row of the file instead, from 0 on.")] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Clips to show, the nearest one first.")] = 5,
    model: Annotated[
        str | None, typer.Option(help="Folder or Hub id. Default: what the vectors were made by.")
    ] = None,
    column: Column = "vector",
    numpy_up_to: Annotated[
        int, typer.Option(min=0, help="Of more vectors, FAISS finds the nearest ones (extra: faiss).")
    ] = 1_000_000,
    device: Annotated[str, typer.Option(help="Where the model runs, such as cuda.")] = "cpu",
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Find the clips, or windows of films, that look most like a clip to the model.

    holovid search vectors.parquet clip.mp4 --top-k 5
    """
    if (clip is None) == (row is None):
        raise ValueError("give a clip to look for, or with --row a row of the file")
    if clip is not None:
        check_clip(clip)
    if model is not None:
        check_model_name(model)
    check_device(device)
    be_quiet()

    from holovid.devices import move_to
    from holovid.inference import embed_clip, nearest_clips, read_vectors
    from holovid.loading import load

    known = read_vectors(vectors, column)
    if row is not None:
        # one more, as the row finds itself
        nearest = nearest_clips(known, known.of_row(row), top_k + 1, numpy_up_to=numpy_up_to)
        found = [each for each in nearest if each.row != row][:top_k]
    else:
        network, processor = load(model or known.model, trust_remote_code=trust_remote_code)
        query = embed_clip(move_to(network, device), processor, clip, column)
        found = nearest_clips(known, query, top_k, numpy_up_to=numpy_up_to)
    records = [vars(each.clip) | {"row": each.row, "similarity": each.similarity} for each in found]
    show(records, nearest_table(found), as_json)
