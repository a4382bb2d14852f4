"""`holovid search`: find the clips that are most similar to one."""

from typing import Annotated

import typer

from holovid.cheap_checks import check_clip, check_device, check_model_name
from holovid.commands.options import AsJson, Column, TrustRemoteCode, VectorsFile
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import nearest_table, show


def search(
    vectors: VectorsFile,
    clip: Annotated[str | None, typer.Argument(help="Path or URL of a video to compare with.")] = None,
    row: Annotated[
        int | None, typer.Option(min=0, help="Compare with this row of the file instead; the first row is 0.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Number of clips to show, most similar first.")] = 5,
    model: Annotated[
        str | None,
        typer.Option(help="Folder or Hub id of the model that made the vectors. Default: the one the file names."),
    ] = None,
    column: Column = "vector",
    numpy_up_to: Annotated[
        int, typer.Option(min=0, help="Search more vectors than this with FAISS (extra: faiss), fewer with NumPy.")
    ] = 1_000_000,
    device: Annotated[str, typer.Option(help="Device for the model: cpu, cuda, cuda:1, mps or xpu.")] = "cpu",
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Find the clips, or windows of films, whose vectors are most similar to that of a clip.

    holovid search vectors.parquet clip.mp4 --top-k 5
    """
    if (clip is None) == (row is None):
        raise ValueError("give either a clip to compare with, or --row with a row of the file")
    if clip is not None:
        check_clip(clip)
    if model is not None:
        check_model_name(model)
    check_device(device)
    be_quiet()

    from holovid.devices import move_to
    from holovid.inference import embed_clip, nearest_clips, read_vectors
    from holovid.inference.embedding import check_maker
    from holovid.loading import load

    known = read_vectors(vectors, column)
    if row is not None:
        # one more, since the row is nearest to itself
        nearest = nearest_clips(known, known.of_row(row), top_k + 1, numpy_up_to=numpy_up_to)
        found = [each for each in nearest if each.row != row][:top_k]
    else:
        source = model or known.model
        network, processor = load(source, trust_remote_code=trust_remote_code)
        check_maker(known, network, processor, str(vectors), source)
        query = embed_clip(move_to(network, device), processor, clip, column)
        found = nearest_clips(known, query, top_k, numpy_up_to=numpy_up_to)
    records = [vars(each.clip) | {"row": each.row, "similarity": each.similarity} for each in found]
    show(records, nearest_table(found), as_json)
