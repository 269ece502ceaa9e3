"""Files as they come from spreadsheets and strangers: read right, or refused with a sentence in both languages."""

import gc
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sgd_tf.own import wording
from sgd_tf.own.columns import columns_of
from sgd_tf.own.errors import MESSAGES, TableError
from sgd_tf.own.reading import MEGABYTE, UPLOAD, read
from sgd_tf.own.understanding import understand
from tests.lab import sentences

KOREAN = "지역,넓이,가격\n" + "서울,30.5,100\n부산,40,120\n대구,25,80\n" * 10
FLAWED = ("{", "}", "None")


def refused(code, call, *arguments, **options):
    """The sentences of the refusal, which has this code."""
    with pytest.raises(TableError) as caught:
        call(*arguments, **options)
    assert caught.value.code == code
    said = [str(caught.value), *sentences(lambda: wording.sentence(caught.value))]
    assert not any(flaw in text for text in said for flaw in FLAWED)
    return said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_korean_is_read_in_each_of_its_encodings(encoding):
    table = read(KOREAN.encode(encoding), limits=UPLOAD)
    assert list(table.frame) == ["지역", "넓이", "가격"]
    assert table.frame["지역"].tolist()[:3] == ["서울", "부산", "대구"]


def test_syllables_that_only_cp949_has_are_read():
    text = KOREAN.replace("대구", "펲시햏")  # not in EUC-KR
    assert "펲시햏" in read(text.encode("cp949")).frame["지역"].tolist()


@pytest.mark.parametrize("word", ["café", "Müller", "Århus", "Ärzte", "Ångström", "£5", "naïve"])
def test_latin_1_is_refused_and_never_garbled(word):
    refused("encoding", read, f"town,price\n{word},1\n".encode("latin-1") * 30)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a,b\n1,2\n", (1, 2)),
        ("a\tb\tc\n1\t2\t3\n", (1, 3)),
        ("a;b\n1,5;2\n2,5;3\n", (2, 2)),
        ("sep=;\na;b\n1;2\n", (1, 2)),
        ('a,b\n"x, y",2\n"line\nbreak",3\n', (2, 2)),
        ("a,b\r\n\r\n1,2\r\n", (1, 2)),
        ("a,b\r1,2\r", (1, 2)),
    ],
)
def test_each_shape_of_a_csv_is_found(text, shape):
    assert read(text.encode()).frame.shape == shape


def test_decimal_commas_and_thousands_become_the_numbers_that_they_are():
    def values(text):
        table = read(text.encode())
        return [column.values().tolist() for column in columns_of(table.frame, decimal=table.dialect.decimal)]

    assert values("a;b\n1,5;1.000,25\n-2;7\n") == [[1.5, -2.0], [1000.25, 7.0]]
    assert values('a,b\n"1,000",2.5\n12%,1e3\n') == [[1000.0, 12.0], [2.5, 1000.0]]
    assert values("a\tb\n1,000\t2.5\n2,000\t3.5\n") == [[1000.0, 2000.0], [2.5, 3.5]]


@pytest.mark.parametrize(
    ("code", "content", "named"),
    [
        ("empty", b"", ""),
        ("empty", b"\xef\xbb\xbf \r\n", ""),
        ("header_only", b"a,b\n", ""),
        ("one_column", b"a\n1\n2\n", ""),
        ("ragged", b"a,b\n1,2\n1,2,3\n", "3"),
        ("ragged", b"a,b\n1,2\n1\n", "3"),
        ("open_quote", b'a,b\n1,2\n"x,3\n4,5\n', "3"),
        ("duplicate_headers", b"a,b,a\n1,2,3\n", "a"),
        ("no_header", b"1,2\n3,4\n", ""),
        ("encoding", b"a,b\n1,\0\n", ""),
        ("unreadable", b"PAR1 and nothing else", ""),
    ],
)
def test_each_fault_of_a_csv_has_its_own_message(code, content, named):
    assert all(named in text for text in refused(code, read, content, limits=UPLOAD))


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("code", "content", "kind"),
    [
        ("other_file", zipped("xl/workbook.xml", "[Content_Types].xml"), "Excel (xlsx)"),
        ("other_file", zipped("data.csv"), "zip"),
        ("other_file", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel (xls)"),
        ("other_file", b"%PDF-1.7", "PDF"),
        ("images", b"\x89PNG\r\n\x1a\n", ""),
        ("images", zipped("cats/1.png", "cats/2.png"), "zip"),
    ],
)
def test_other_files_with_a_csv_name_are_refused_by_what_they_are(code, content, kind):
    assert all(kind in text for text in refused(code, read, content))


def parquet(frame):
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_the_limits_are_named_and_the_memory_is_back_afterwards():
    tracemalloc.start()
    try:
        for code, content, limit in (
            ("too_large", b"a,b\n" + b"1,2\n" * (2 * MEGABYTE), "5"),
            ("too_many_rows", b"a,b\n" + b"1,2\n" * 100_001, "100,000"),
            ("too_many_rows", parquet(pd.DataFrame({"a": np.arange(100_001), "b": 1})), "100,000"),
            ("too_many_columns", (",".join(f"c{i}" for i in range(65)) + "\n" + "1," * 64 + "1\n").encode(), "64"),
            ("too_many_columns", npz(x=np.zeros((10, 64)), y=np.zeros(10)), "64"),
        ):
            before = tracemalloc.get_traced_memory()[0] - len(content)
            assert all(limit in text for text in refused(code, read, content, limits=UPLOAD))
            gc.collect()  # of the exception, which holds the frames
            assert tracemalloc.get_traced_memory()[0] - len(content) - before < MEGABYTE
    finally:
        tracemalloc.stop()


def test_a_small_file_that_unpacks_to_a_large_array_is_not_unpacked():
    large = npz(x=np.zeros((100_000, 60), "U8"), y=np.zeros(100_000))
    assert len(large) < MEGABYTE
    refused("too_large", read, large, limits=UPLOAD)


def test_parquet_and_npz_are_read():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert read(parquet(frame)).frame["a"].tolist() == [1, 2]
    table = read(npz(x=np.arange(6).reshape(3, 2), y=np.array([0, 1, 0])))
    assert list(table.frame) == ["x1", "x2", "y"]
    refused("images", read, npz(x=np.zeros((3, 8, 8)), y=np.zeros(3)))
    refused("no_arrays", read, npz(x=np.zeros((3, 2)), y=np.zeros(4)))
    refused("no_arrays", read, npz(x=np.array([{}, {}]), y=np.zeros(2)))


def test_headers_are_on_one_line_and_cut_at_a_hundred_letters():
    header = 'a,"' + "b" * 150 + '","two\nlines",\n'
    assert list(read((header + "1,2,3,4\n").encode()).frame) == ["a", "b" * 100, "two lines", "column 4"]


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "![x](http://x)", "$a$", ":red[x]"]
)
def test_names_in_a_sentence_are_pieces_of_code(name):
    frame = pd.DataFrame({name: ["2024-01-01"] * 30, "b": range(30)})
    with pytest.raises(TableError) as caught:
        understand(columns_of(frame), limits=UPLOAD)
    assert caught.value.code == "no_features"
    assert all(f"`{name}`" in text for text in sentences(lambda: wording.sentence(caught.value)))


def test_every_message_is_said_somewhere():
    sources = [file.read_text(encoding="utf-8") for file in Path(wording.__file__).parent.glob("*.py")]
    for code in MESSAGES:
        assert any(f'TableError("{code}"' in source for source in sources), code
