"""Rows of jobs: dataclasses, which travel as JSON text and come back as the same dataclasses."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, get_args, get_origin

if TYPE_CHECKING:
    import pandas as pd

ALLOWED = (
    "dataclasses with fields of str, int, float, bool, None, Literal, list, tuple, dict and other such dataclasses"
)
PLAIN: dict[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (float, int),
    type(None): (type(None),),
}


class Codec(NamedTuple):
    """How values of one type become values of JSON, and come back."""

    write: Callable[[Any], Any]  # raises TypeError for a value of another type
    read: Callable[[Any], Any]


def codec(function: Callable[..., Any]) -> Codec:
    """The codec of a generator function's rows, from its annotation ``Iterator[A | B]``.

    A dataclass becomes an object with its name, ``{"Loss": [0.5, null]}``; nan and inf are kept.

    Raises:
        TypeError: if the annotation is missing, or names what cannot travel.
    """
    hint = typing.get_type_hints(function).get("return")
    (row,) = get_args(hint) or (None,)
    kinds = get_args(row) if get_origin(row) in (Union, types.UnionType) else (row,)
    try:
        if not all(dataclasses.is_dataclass(kind) for kind in kinds):
            raise TypeError(f"it is annotated with {hint}")
        return _codec(row)
    except TypeError as error:
        raise TypeError(f"`{function.__qualname__}` must yield {ALLOWED}; {error}.") from None


def of(kind: Any) -> Codec:
    """The codec of one type.

    >>> of(tuple[int, ...]).read(of(tuple[int, ...]).write((1, 2)))
    (1, 2)

    Raises:
        TypeError: if its values cannot travel.
    """
    return _codec(kind)


@functools.cache
def _codec(hint: Any) -> Codec:
    """The codec of a type; everything is looked up once, when a job is submitted."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return _plain(hint, PLAIN[hint])
    if origin is Literal:
        return _plain(hint, tuple({type(value) for value in inner}))
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint)
    if origin in (Union, types.UnionType):
        return _union(hint, inner)
    if origin is list or (origin is tuple and inner[1:] == (...,)):
        item = _codec(inner[0])
        return Codec(
            lambda values: [item.write(value) for value in _checked(values, hint, origin)],
            lambda values: origin(map(item.read, values)),
        )
    if origin is tuple:
        items = [_codec(each) for each in inner]
        return Codec(
            lambda values: [
                item.write(value) for item, value in zip(items, _checked(values, hint, tuple), strict=True)
            ],
            lambda values: tuple(item.read(value) for item, value in zip(items, values, strict=True)),
        )
    if origin is dict and inner[0] is str:
        item = _codec(inner[1])
        return Codec(
            lambda values: {name: item.write(value) for name, value in _checked(values, hint, dict).items()},
            lambda values: {name: item.read(value) for name, value in values.items()},
        )
    raise TypeError(f"{_name(hint)} cannot travel")


def _plain(hint: Any, allowed: tuple[type, ...]) -> Codec:
    return Codec(lambda value: _checked(value, hint, *allowed), lambda value: value)


def _dataclass(kind: Any) -> Codec:
    hints = typing.get_type_hints(kind)
    fields: dict[str, Codec] = {}
    for field in dataclasses.fields(kind):
        try:
            fields[field.name] = _codec(hints[field.name])
        except TypeError as error:
            raise TypeError(f"`{field.name}` of {kind.__name__}: {error}") from None

    def write(row: Any) -> dict[str, Any]:
        _checked(row, kind, kind)
        values = []
        for name, field in fields.items():
            try:
                values.append(field.write(getattr(row, name)))
            except TypeError as error:
                raise TypeError(f"`{name}` of {kind.__name__}: {error}") from None
        return {kind.__name__: values}

    def read(written: dict[str, Any]) -> Any:
        (values,) = written.values()
        return kind(**{name: field.read(value) for (name, field), value in zip(fields.items(), values, strict=True)})

    return Codec(write, read)


def _union(hint: Any, options: Iterable[Any]) -> Codec:
    """A union of plain types, dataclasses, and one type of list or tuple at most: JSON distinguishes these."""
    codecs = {option: _codec(option) for option in options}
    named = {_name(option): each for option, each in codecs.items() if dataclasses.is_dataclass(option)}
    lists = [each for option, each in codecs.items() if get_origin(option) in (list, tuple)]
    if len(lists) > 1 or any(get_origin(option) is dict for option in codecs):
        raise TypeError(f"the values of {_name(hint)} cannot be distinguished")

    def write(value: Any) -> Any:
        if type(value).__name__ in named:
            return named[type(value).__name__].write(value)
        for each in codecs.values():
            try:
                return each.write(value)
            except TypeError as error:
                reason = error
        raise TypeError(f"it must be {_name(hint)}; received {type(value).__name__}") from reason

    def read(value: Any) -> Any:
        if isinstance(value, dict):
            return named[next(iter(value))].read(value)
        return lists[0].read(value) if isinstance(value, list) else value

    return Codec(write, read)


def _checked(value: Any, hint: Any, *allowed: type) -> Any:
    if not isinstance(value, allowed):
        raise TypeError(f"it must be {_name(hint)}; received {type(value).__name__}")
    return value


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")


def table(rows: Iterable[Any], kind: type) -> pd.DataFrame:
    """The rows of one kind as a table.

    Args:
        rows: rows of a job.
        kind: the dataclass; rows of other kinds are left out.

    Returns:
        A column per field, also where there is no row.
    """
    import pandas as pd

    names = [field.name for field in dataclasses.fields(kind)]
    values = [[getattr(row, name) for name in names] for row in rows if isinstance(row, kind)]
    return pd.DataFrame(values, columns=names)
