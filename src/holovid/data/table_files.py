"""Reads one file of clips, CSV, Parquet, or a list of a paper, as a `datasets` table.

Users write these files by hand and with many programs, so errors name the file and the problem in one sentence.
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from datasets import Dataset, Value, Video

from holovid.cheap_checks import PATH_COLUMNS, is_url
from holovid.data.clip_folders import first_of

TABLE_SUFFIXES = {".csv", ".parquet", ".txt"}
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
LIST_LINE = re.compile(r"(?P<path>.*\S)[ \t]+(?P<label>-?[0-9]+)\s*")
LEADING_ZEROS = re.compile(r"^(-?)0+(?=[0-9])")
LONGEST_HEADER = 100_000  # characters
LONGEST_REASON = 300  # characters of a library's message


def read_table(path: Path, root: str | os.PathLike | None, targets: list[str]) -> Dataset:
    """A CSV or Parquet file, or a list of lines `clip label`, with a column `video`, and `targets` kept as written.

    Relative paths start from `root`, by default the file's folder. Raises `ValueError` that names the file and the
    problem, `OSError` if it cannot be opened.
    """
    return with_videos(read_rows(path, targets), str(path), Path(root) if root is not None else path.parent)


def read_rows(path: Path, targets: list[str]) -> Dataset:
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise ValueError(
            f"{path} cannot be read as a table of clips: a table ends in {', '.join(sorted(TABLE_SUFFIXES))}"
        )
    try:
        return Dataset(plain_table(path, targets))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read as a table of clips: it is not text in UTF-8 ({error})") from error
    except (pyarrow.ArrowException, ValueError, TypeError, KeyError, NotImplementedError) as error:
        # arrow's errors, and those of `datasets` about unknown types and features
        raise ValueError(f"{path} cannot be read as a table of clips: {one_line(error)}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # arrow's error for a damaged file
        raise ValueError(f"{path} cannot be read as a table of clips: {one_line(error)}") from error


def plain_table(path: Path, targets: list[str]) -> pyarrow.Table:
    if path.suffix.lower() == ".parquet":
        # not arrow's read_table, which fails on columns of the same name
        table = with_plain_names(pyarrow.parquet.ParquetFile(path).read())
        for place, field in enumerate(table.schema):
            if pyarrow.types.is_string_view(field.type):
                text = table.column(place).cast(pyarrow.string())
                table = table.set_column(place, field.name, text)
        return table
    if LIST_LINE.fullmatch(read_first_line(path)):
        return read_list(path)
    # names that look like numbers stay as written: "007"
    types = dict.fromkeys([*PATH_COLUMNS, *targets], pyarrow.string())
    types |= dict.fromkeys(("start", "end"), pyarrow.float64())
    names = next(csv.reader([read_first_line(path)[:LONGEST_HEADER]]), [])
    table = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: types[name.strip()] for name in names if name.strip() in types}
        ),
    )
    table = with_plain_names(table)
    for column in PATH_COLUMNS:
        if column in table.column_names:
            text = pyarrow.compute.utf8_trim_whitespace(table.column(column))
            table = table.set_column(table.column_names.index(column), column, text)
    check_header(table, [*PATH_COLUMNS, *targets])
    return table


def with_plain_names(table: pyarrow.Table) -> pyarrow.Table:
    """Strip column names; raises `ValueError` if two become equal."""
    names = [name.strip() for name in table.column_names]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"it has {first_of(map(repr, twice), 'column')} more than once")
    # renaming loses the features that `datasets` stored
    return table if names == table.column_names else table.rename_columns(names)


def check_header(table: pyarrow.Table, known: list[str]) -> None:
    """Raise `ValueError` if a row repeats the header, as in two files joined into one."""
    written = [column for column in known if column in table.column_names]
    if not written or not len(table):
        return
    same = [pyarrow.compute.equal(table.column(column), column).fill_null(False) for column in written]
    repeated = same[0]
    for other in same[1:]:
        repeated = pyarrow.compute.and_(repeated, other)
    if len(written) > 1 and (row := pyarrow.compute.index(repeated, True).as_py()) >= 0:
        raise ValueError(f"row {row} repeats the header; a table must have it once, in its first line")


def read_list(path: Path) -> pyarrow.Table:
    """Lines `clip label`, as the papers' code takes them; paths may contain blanks."""
    columns: dict[str, list] = {"path": [], "label": []}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if line.strip():
            if (match := LIST_LINE.fullmatch(line)) is None:
                raise ValueError(f"line {number} is not `clip label` with a number as the label: {line[:80]!r}")
            columns["path"].append(match["path"])
            columns["label"].append(LEADING_ZEROS.sub(r"\1", match["label"]))
    return pyarrow.table(columns)


def with_videos(rows: Dataset, name: str, root: Path | None) -> Dataset:
    """Convert the column of paths to a column `video` of {"path", "bytes"}, if necessary."""
    videos = [column for column, feature in rows.features.items() if isinstance(feature, Video)]
    column = next((column for column in (*videos, *PATH_COLUMNS) if column in rows.features), None)
    if column is None:
        raise ValueError(
            f"{name} has no column of clips ({', '.join(map(repr, PATH_COLUMNS))}); {what_there_is(rows)}"
        )
    if rows.features[column] in (Value("string"), Value("large_string")):
        paths = rows.with_format(None)[column][:]
        check_places(name, column, [bool(path) and "\0" not in path for path in paths])
        places = [path if root is None or is_url(path) else os.path.join(root, path) for path in paths]
        files = [{"path": place, "bytes": None} for place in places]
        rows = rows.remove_columns("video") if "video" in rows.features else rows
        return rows.add_column("video", files, feature=Video(decode=False))
    wrong = f"column {column!r} of {name} holds {rows.features[column]}, not videos"
    if column != "video":
        if column not in videos:
            raise ValueError(f"{wrong}; paths must be text")
        rows = rows.remove_columns("video") if "video" in rows.features else rows
        rows = rows.rename_column(column, "video")
    try:
        rows = rows.cast_column("video", Video(decode=False))
        found = rows.select_columns("video").with_format("arrow")[:]["video"]
    except (TypeError, ValueError, KeyError, NotImplementedError, pyarrow.ArrowException) as error:
        raise ValueError(wrong) from error
    there = [pyarrow.compute.is_valid(pyarrow.compute.struct_field(found, part)) for part in ("path", "bytes")]
    check_places(name, column, pyarrow.compute.or_(*there).to_pylist())
    return rows


def check_places(name: str, column: str, is_there: list[bool]) -> None:
    if without := [f"row {row}" for row, found in enumerate(is_there) if not found]:
        raise ValueError(f"{name} has {first_of(without, 'row')} without a {column!r}")


def what_there_is(rows: Dataset, wanted: Sequence[str] = PATH_COLUMNS) -> str:
    """The columns of a table, and why none of them is the wanted one."""
    names = sorted(rows.features)
    there = f"there are {', '.join(names[:20])}{' and more' if len(names) > 20 else ''}"
    for separator, plural in OTHER_SEPARATORS.items():
        if len(names) == 1 and separator in names[0]:
            return f"{there}: columns must be separated by commas, not by {plural}"
    if alike := [name for name in names if name.casefold() in map(str.casefold, wanted)]:
        return f"{there}: names are case-sensitive, see {alike[0]!r}"
    return there


def read_first_line(path: Path) -> str:
    with open(path, encoding="utf-8-sig") as file:
        return next((line.rstrip("\n") for line in file if line.strip()), "")


def one_line(error: Exception) -> str:
    """A library's message, shortened: it may quote whole rows."""
    said = " ".join((str(error) or type(error).__name__).split())
    return said if len(said) <= LONGEST_REASON else f"{said[:LONGEST_REASON]}..."
