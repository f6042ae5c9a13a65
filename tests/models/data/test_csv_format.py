import codecs

import pytest

from nettuner.models.data.csv_format import decimal_of, encoding_of, separator_of


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"x,y\n1,2\n", "utf-8-sig"),
        ("größe,y".encode(), "utf-8-sig"),
        (codecs.BOM_UTF8 + b"x,y", "utf-8-sig"),
        ("größe,y".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + "x,y".encode("utf-16-be"), "utf-16"),
        ("größe,y".encode("utf-32"), "utf-32"),
        ("größe,y".encode("latin-1"), "cp1252"),
        ("5 €,y".encode("cp1252"), "cp1252"),
        (b"gr\xf6\x81e,y", "latin-1"),  # 81 is no character of Windows-1252
        (b"PK\x03\x04\xf6\x00", "utf-8-sig"),  # a packed file is no text
    ],
)
def test_the_encoding_is_told_by_a_mark_or_by_what_the_bytes_cannot_be(content, encoding):
    assert encoding_of(content) == encoding


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("x,y\n1,2\n", ","),
        ("x;y\n1;2\n", ";"),
        ("x\ty\n1\t2\n", "\t"),
        ("x|y\n1|2\n", "|"),
        ("x;y\n1,5;2\n", ";"),
        ("x;y\r\n\r\n1;2\r\n", ";"),
        ('x;y\n"a;b";2\n', ";"),
        ("x,y,\n1,2,\n", ","),
        ("x,y\n1,2,\n", ","),  # a separator at the end of each line
        ("x,y\n1;2;3,4\n", ","),
        ("a;b,c\n1;2,3\n", ","),  # both would do: as it was before
        ("a;b\tc\n1;2\t3\n", ","),  # so would these two
        ("x;y\n1;2;3\n", ","),  # none gives every line the same fields
        ("x\n1\n", ","),
        ("", ","),
    ],
)
def test_another_separator_is_found_where_it_alone_makes_a_table(text, separator):
    assert separator_of(text) == separator


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        ("1,5;2,25", ","),
        ("-0,125;3", ","),
        ("1,234;0,500", ","),  # thousands begin with no zero
        ("1,234;5,678", "."),  # a little over one, or a thousand
        ("1,234,567;1,5", "."),
        ("1.234,5;1,5", "."),
        ("1,5;2.5", "."),
        ("1,5;31.12.2020", ","),
        ("1,5E-3;2", ","),
        ('"1,5";2', ","),
        ("a,5;b", "."),
        ("1;2", "."),
    ],
)
def test_a_decimal_comma_is_found_where_no_number_speaks_against_it(cells, decimal):
    assert decimal_of(f"x;y\n{cells}\n", ";") == decimal


def test_commas_that_separate_columns_precede_no_decimals():
    assert decimal_of('x,y\n"1,5",2\n', ",") == "."
