"""The letters and the shape of a text file: encoding, separator, sign of the decimals."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass

from sgd_tf.own.errors import TableError

SEPARATORS = (",", ";", "\t", "|")
SAMPLE_RECORDS = 50  # from which the separator is found
SAMPLE_LETTERS = 200_000  # from which the sign of the decimals is found
DECIMAL_COMMA = re.compile(r'(?:^|[;\t"])\s*[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+\s*(?=$|[;\t"])', re.MULTILINE)
DECIMAL_POINT = re.compile(r'(?:^|[;\t"])\s*[-+]?\d[\d,]*\.\d+\s*(?=$|[;\t"])', re.MULTILINE)
THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a text file is written."""

    encoding: str  # "utf-8", "utf-16" or "cp949"
    separator: str
    decimal: str  # "." or ","


def decode(content: bytes) -> tuple[str, str]:
    """The text of a file, and its encoding.

    Latin-1 reads any bytes, right or wrong, so it is not tried. CP949 reads some Latin-1 by chance: "Å" and a letter
    make one rare syllable. So most of what is not ASCII must be in EUC-KR, the common part of CP949.

    Raises:
        TableError: if it is none of UTF-8, UTF-16 with its mark, and CP949.

    >>> decode("가격".encode("cp949")), decode("가격".encode("utf-8-sig"))
    (('가격', 'cp949'), ('가격', 'utf-8'))
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _strict(content, "utf-16"), "utf-16"
    if b"\0" in content:
        raise TableError("encoding")
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        text = _strict(content, "cp949")
    foreign = {letter for letter in text if not letter.isascii()}
    common = {letter for letter in foreign if _is_common(letter)}
    if 2 * sum(map(text.count, common)) <= sum(map(text.count, foreign)):
        raise TableError("encoding")
    return text, "cp949"


def _strict(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise TableError("encoding") from None


def _is_common(letter: str) -> bool:
    try:
        return len(letter.encode("euc_kr")) == 2  # a rare syllable takes eight bytes: its parts one by one
    except UnicodeEncodeError:
        return False


def find_separator(text: str) -> tuple[str, str]:
    r"""The separator of the cells, and the text without Excel's line ``sep=;``.

    It is the one that gives most records the width of the header, and of these the one with the most columns.

    >>> find_separator("a;b\n1,5;2\n")[0], find_separator("sep=|\na|b\n1|2\n")
    (';', ('|', 'a|b\n1|2\n'))
    """
    stated = re.match(r'"?sep=(.)"?\r?\n', text)
    if stated:
        return stated[1], text[stated.end() :]

    def fit(separator: str) -> tuple[float, int]:
        rows = []
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
                rows += [row] if row else []
                if len(rows) >= SAMPLE_RECORDS:
                    break
        except csv.Error:
            return 0.0, 0
        if not rows or len(rows[0]) < 2:
            return 0.0, 0
        return round(sum(len(row) == len(rows[0]) for row in rows) / len(rows), 1), len(rows[0])

    return max(SEPARATORS, key=fit), text


def find_decimal(text: str, separator: str) -> str:
    r"""The sign of the decimals: a comma where cells such as 1,5 stand between semicolons or tabs.

    >>> find_decimal("a;b\n1,5;2\n", ";"), find_decimal("a\tb\n1,000\t2.5\n", "\t")
    (',', '.')
    """
    if separator not in ";\t":
        return "."
    sample = text[:SAMPLE_LETTERS]
    commas = [match.strip(' \t;"') for match in DECIMAL_COMMA.findall(sample)]
    if not commas or DECIMAL_POINT.search(sample):
        return "."
    if separator == ";":  # Excel separates by semicolons because the comma is its decimal sign
        return ","
    return "." if all(THOUSANDS.fullmatch(cell) for cell in commas) else ","


def check_records(text: str, separator: str, *, max_rows: int | None) -> list[str]:
    """Check that all records have as many cells as the header, and return the header.

    Raises:
        TableError: if the text has no rows, a record of another width, a quotation mark that is not closed, or more
            rows than allowed.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    num_rows, begun = 0, 1
    try:
        for record in reader:
            if record:
                if header is None:
                    header = record
                    _check_header(header)
                else:
                    num_rows += 1
                    _check_record(record, len(header), begun)
                    if max_rows is not None and num_rows > max_rows:
                        raise TableError("too_many_rows", limit=max_rows)
            begun = reader.line_num + 1
    except csv.Error:
        raise TableError("open_quote", line=begun) from None
    if header is None:
        raise TableError("empty")
    if not num_rows:
        raise TableError("header_only")
    return header


def _check_header(header: list[str]) -> None:
    if len(header) < 2:
        raise TableError("one_column")
    if all(re.fullmatch(r"\s*[-+]?\d[\d.,]*(e[-+]?\d+)?\s*", name, re.IGNORECASE) for name in header):
        raise TableError("no_header")


def _check_record(record: list[str], width: int, line: int) -> None:
    if len(record) != width:
        raise TableError("ragged", line=line, received=len(record), expected=width)
