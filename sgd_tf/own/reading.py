"""Bytes of a file → a table: CSV in its kinds, Parquet, NPZ; anything else is refused by name."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgd_tf.own.encodings import Dialect, check_records, decode, find_decimal, find_separator
from sgd_tf.own.errors import MAX_NAME, TableError

if TYPE_CHECKING:
    import pandas as pd

MEGABYTE = 2**20
IMAGES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
OTHERS = {
    b"\xd0\xcf\x11\xe0": "Excel (xls)",
    b"%PDF": "PDF",
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "RAR",
    b"\x89HDF": "HDF5",
    b"\x93NUMPY": "NPY",
    b"{\\rtf": "RTF",
    b"<!DOCTYPE": "HTML",
    b"<html": "HTML",
    b"ARROW1": "Arrow",
    b"SQLite format": "SQLite",
}
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")  # in a zip


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What may be read; None for no limit."""

    num_bytes: int | None = None  # of the file
    num_rows: int | None = None
    num_columns: int | None = None
    num_unpacked: int | None = None  # bytes of the arrays in a Parquet or NPZ file
    num_values: int | None = None  # rows · columns of numbers, with a column for each category


UPLOAD = Limits(
    num_bytes=5 * MEGABYTE,
    num_rows=100_000,
    num_columns=64,
    num_unpacked=100 * MEGABYTE,
    num_values=10_000_000,
)
NO_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A table as it was read."""

    frame: pd.DataFrame  # of text, where the file is one of text
    format: str  # "CSV", "Parquet" or "NPZ"
    dialect: Dialect | None = None  # of a CSV


def read(content: bytes, *, limits: Limits = NO_LIMITS) -> Table:
    r"""Read the bytes of a file.

    Raises:
        TableError: with the reason, if it is no table that can be read.

    >>> read("이름;값\n가;1,5\n나;2,5\n".encode("cp949")).frame.shape
    (2, 2)
    """
    if limits.num_bytes is not None and len(content) > limits.num_bytes:
        size = math.ceil(10 * len(content) / MEGABYTE) / 10
        raise TableError("too_large", received=size, limit=limits.num_bytes // MEGABYTE)
    if not content.strip(b" \t\r\n\xef\xbb\xbf"):
        raise TableError("empty")
    if content.startswith(b"PAR1"):
        return _guarded(_parquet, content, limits)
    if content.startswith(b"PK\x03\x04"):
        return _guarded(_zip, content, limits)
    for start, kind in {**IMAGES, **OTHERS}.items():
        if content.startswith(start) and not (start == b"BM" and content[:64].isascii()):
            raise TableError("images") if start in IMAGES else TableError("other_file", kind=kind)
    return _guarded(_text, content, limits)


def _guarded(reader: Any, content: bytes, limits: Limits) -> Table:
    """What a reader finds; an error of a library becomes one without the content of the file."""
    try:
        return reader(content, limits)
    except TableError:
        raise
    except Exception:
        raise TableError("unreadable") from None


def _text(content: bytes, limits: Limits) -> Table:
    import pandas as pd

    text, encoding = decode(content)
    separator, text = find_separator(text)
    header = clean_names(check_records(text, separator, max_rows=limits.num_rows))
    _check_columns(len(header), limits)
    frame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=0,
        names=header,
        index_col=False,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
    )
    dialect = Dialect(encoding=encoding, separator=separator, decimal=find_decimal(text, separator))
    return Table(frame=frame, format="CSV", dialect=dialect)


def _parquet(content: bytes, limits: Limits) -> Table:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(content))
    facts = file.metadata
    unpacked = sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
    _check_size(facts.num_rows, len(file.schema_arrow), unpacked, limits)
    frame = file.read().to_pandas(ignore_metadata=True)
    return Table(frame=_named(frame), format="Parquet")


def _zip(content: bytes, limits: Limits) -> Table:
    import pandas as pd

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if not names or not all(name.endswith(".npy") for name in names):
            raise _other_zip(names)
        shapes = [_shape(archive, name) for name in names]
        unpacked = sum(num_bytes for _shape, num_bytes in shapes)
        num_columns = sum(math.prod(shape[1:]) for shape, _bytes in shapes)
        _check_size(max(shape[0] if shape else 0 for shape, _bytes in shapes), num_columns, unpacked, limits)
    columns: dict[str, np.ndarray] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for name in arrays.files:
            array = arrays[name]
            if array.ndim > 2:
                raise TableError("images")
            if array.ndim == 1:
                columns[name] = array
            else:
                columns |= {f"{name}{column}": values for column, values in enumerate(array.T, start=1)}
    if len({len(array) for array in columns.values()}) != 1:
        raise TableError("no_arrays")
    return Table(frame=_named(pd.DataFrame(columns)), format="NPZ")


def _shape(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], int]:
    """Shape and size in bytes of an array in an NPZ file, from its header."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _order, dtype = reader(file)
    if dtype.hasobject or not shape:
        raise TableError("no_arrays")
    return shape, math.prod(shape) * dtype.itemsize


def _other_zip(names: Sequence[str]) -> TableError:
    if any(name.lower().endswith(PICTURES) for name in names):
        return TableError("images")
    if any(name.startswith("xl/") for name in names):
        return TableError("other_file", kind="Excel (xlsx)")
    if "content.xml" in names:
        return TableError("other_file", kind="OpenDocument")
    return TableError("other_file", kind="zip")


def _check_size(num_rows: int, num_columns: int, unpacked: int, limits: Limits) -> None:
    if limits.num_rows is not None and num_rows > limits.num_rows:
        raise TableError("too_many_rows", limit=limits.num_rows)
    _check_columns(num_columns, limits)
    if limits.num_unpacked is not None and unpacked > limits.num_unpacked:
        raise TableError("too_large", received=unpacked // MEGABYTE, limit=limits.num_unpacked // MEGABYTE)
    if num_columns < 2:
        raise TableError("one_column")
    if not num_rows:
        raise TableError("header_only")


def _check_columns(num_columns: int, limits: Limits) -> None:
    if limits.num_columns is not None and num_columns > limits.num_columns:
        raise TableError("too_many_columns", received=num_columns, limit=limits.num_columns)


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(clean_names(frame.columns), axis=1)


def clean_names(names: Sequence[Any]) -> list[str]:
    r"""Names of columns on one line, at most 100 letters each; a column without a name is numbered.

    Raises:
        TableError: if two are the same.

    >>> clean_names([" price ", "", "two\nlines"])
    ['price', 'column 2', 'two lines']
    """
    found: list[str] = []
    for position, name in enumerate(names, start=1):
        letters = "".join(letter if letter.isprintable() else " " for letter in str(name))
        clean = " ".join(letters.split())[:MAX_NAME].strip() or f"column {position}"
        if clean in found:
            raise TableError("duplicate_headers", name=clean)
        found.append(clean)
    return found
