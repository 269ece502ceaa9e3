"""What is said of a table that cannot be used: an English sentence for each case, with the facts that fill it in."""

from __future__ import annotations

from sgd_tf.words import N_

# Names of columns, numbers and kinds of files stand in braces; a page translates the sentence and fills it in.
MESSAGES = {
    # The file
    "too_large": N_("The file has {received} MB; at most {limit} MB are read."),
    "too_many_rows": N_("The table has more than {limit} rows. Save a part of it."),
    "too_many_columns": N_("The table has {received} columns; at most {limit} are read."),
    "too_many_values": N_(
        "With its categories the table would have {received} numbers in {columns} columns; at most {limit} fit. Leave "
        "out columns or rows."
    ),
    "empty": N_("The file is empty."),
    "other_file": N_(
        "This is not a table that can be read, but a file of the kind {kind}. Save the table as CSV, Parquet or NPZ."
    ),
    "images": N_("Images are not read here, neither as a folder nor as a zip: a table of numbers and words is needed."),
    "encoding": N_("The letters of this file cannot be read: it is neither UTF-8, UTF-16 nor CP949. Save it as UTF-8."),
    "unreadable": N_("This file is damaged or no table: it cannot be read."),
    # Its lines
    "header_only": N_("The file has names of columns, but no rows."),
    "no_header": N_("The first line must hold the names of the columns; here it holds only numbers."),
    "one_column": N_("The table has one column only. A target and at least one feature are needed."),
    "ragged": N_("Number of cells in line {line}: {received}. Number of columns: {expected}."),
    "open_quote": N_("A quotation mark is opened and not closed, from line {line} on."),
    "duplicate_headers": N_("Two columns have the same name: {name}."),
    "no_arrays": N_("An NPZ file must hold `x` of the shape (n, d) and `y` of the shape (n,), or a column each."),
    # Its meaning
    "unknown_column": N_("There is no column {name}. The columns are: {names}."),
    "target_unusable": N_("{name} cannot be the target: {reason}."),
    "feature_unusable": N_("{name} cannot be a feature: {reason}."),
    "target_is_feature": N_("{name} is the target, so it cannot be a feature."),
    "no_features": N_("No column is left to learn from. Left out: {left_out}."),
    "few_rows": N_("Rows of use: {received}; at least {limit} are needed. Rows that lack a value: {dropped}."),
    "not_numbers": N_("A regression needs numbers, and {name} holds words."),
    "one_class": N_("The target {name} has one value only: there is nothing to learn."),
    "many_classes": N_("The target {name} has {received} classes; at most {limit} are allowed."),
    "rare_class": N_("Only one row has the class {value} in {name}; at least two are needed."),
    "few_test_rows": N_("Too many classes ({classes}) for {rows} rows: the test part holds {test} of them."),
    "constant_target": N_("The target {name} is the same in all rows: there is nothing to learn."),
    "too_wide": N_("The numbers in {name} are too large: they must be below 3.4e38, and so must their range."),
}
# Why a column is left out. The sentence stands after the column's name.
REASONS = {
    "date": N_("dates or times; write the year, the month or the hours as numbers"),
    "text": N_("words, with more than {limit} different values"),
    "constant": N_("the same value in all rows"),
    "empty": N_("no values"),
    "sparse": N_("more than half of the values are missing"),
    "row_number": N_("it only numbers the rows"),
    "nested": N_("lists or other objects"),
    "chosen": N_("by your choice"),
}
MAX_NAME = 100  # letters of a name in a message
MAX_NAMES = 8  # names in a list


class TableError(ValueError):
    """A table that cannot be used.

    Attributes:
        code: key of MESSAGES.
        facts: what fills in its sentence: numbers, names, or a key of REASONS as ``reason``.
    """

    def __init__(self, code: str, **facts: object) -> None:
        self.code, self.facts = code, facts
        written = dict(facts)
        if "reason" in facts:
            written["reason"] = REASONS[str(facts["reason"])].format(limit=facts.get("limit"))
        super().__init__(MESSAGES[code].format(**{name: write(value) for name, value in written.items()}))


def write(value: object) -> str:
    """A fact as a sentence shows it.

    >>> write(100000), write(["a", "b"]), write("year")
    ('100,000', 'a, b', 'year')
    """
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value[:MAX_NAMES])) + (", …" if len(value) > MAX_NAMES else "")
    return str(value)
