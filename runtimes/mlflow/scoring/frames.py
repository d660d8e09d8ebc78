"""Check a request's body against a model's columns, and say exactly what does not fit.

Pure: plain lists in, plain lists out; neither pandas nor MLflow is imported, so that the rules are
tested without them.

Errors:

    RequestProblem           something about the request; answered with 400
    ├── BadShape             no known key, or rows or columns that are no lists
    ├── WrongColumns         columns that are missing, unknown or given twice
    ├── RaggedRow            a row that has too few or too many values
    └── BadCell              a value of the wrong type
    ModelFailed              the model itself failed on rows of the right shape; 500
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
INTEGER_BITS = {"integer": 32, "long": 64}
NAMES_SHOWN = 10
VALUE_SHOWN = 60


class RequestProblem(Exception):
    """The request cannot be answered; `where` names the column or row (from 0) at fault."""

    code = "bad_request"

    def __init__(self, message: str, **where: object) -> None:
        super().__init__(message)
        self.where = where


class BadShape(RequestProblem):
    """The body is not one of the forms that can be read."""

    code = "bad_shape"


class WrongColumns(RequestProblem):
    """The columns are not those that the model was trained on."""

    code = "wrong_columns"


class RaggedRow(RequestProblem):
    """A row has another number of values than there are columns."""

    code = "ragged_row"


class BadCell(RequestProblem):
    """A value is not of its column's type."""

    code = "bad_cell"


class ModelFailed(Exception):
    """The model itself failed on rows of the right shape."""


@dataclass(frozen=True)
class Column:
    """One column of a model's signature, with MLflow's name of its type."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True)
class Table:
    """Rows in the order of `columns`; without columns, as they were sent."""

    columns: tuple[str, ...]
    rows: list[list[object]]


def table_from(body: Mapping[str, object], columns: Sequence[Column]) -> Table:
    """Read the rows of a request and put them in the model's order; raise RequestProblem."""
    form = _form_of(body)
    sent = _read_split(body[form]) if form == "dataframe_split" else _read_rows(form, body[form])
    if not sent.columns and columns:
        sent = _named_by_position(sent, columns)
    _check_width(sent)
    if not columns:
        return sent
    return _in_model_order(sent, columns)


def first_gap(table: Table) -> BadCell | None:
    """Return what to say about the first null of a table that the model failed on."""
    for position, row in enumerate(table.rows):
        for place, value in enumerate(row):
            if value is None or (isinstance(value, float) and math.isnan(value)):
                name = table.columns[place] if table.columns else str(place)
                message = (
                    f"Row {position}, column {name!r}: null, which this model does not accept."
                )
                return BadCell(message, row=position, column=name)
    return None


def _form_of(body: Mapping[str, object]) -> str:
    given = [form for form in FORMS if form in body]
    if len(given) != 1:
        which = f"has {' and '.join(given)}" if given else "has none of them"
        raise BadShape(f"Give exactly one of {', '.join(FORMS)}; the body {which}.")
    return given[0]


def _read_split(value: object) -> Table:
    if not isinstance(value, dict):
        raise BadShape('dataframe_split must be an object: {"columns": [...], "data": [[...]]}.')
    names = value.get("columns", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadShape("dataframe_split.columns must be a list of column names.")
    if "data" not in value:
        raise BadShape("dataframe_split.data is missing: give a list of rows.")
    return Table(tuple(names), _rows(value["data"], "dataframe_split.data"))


def _read_rows(form: str, value: object) -> Table:
    """Read a list of objects, or a list of rows without names."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return _read_records(value)
    if form == "dataframe_records":
        raise BadShape("dataframe_records must be a list of objects, one a row.")
    return Table((), _rows(value, form))


def _read_records(records: list[dict[str, object]]) -> Table:
    names = tuple(dict.fromkeys(name for record in records for name in record))
    for position, record in enumerate(records):
        missing = [name for name in names if name not in record]
        if missing:
            raise RaggedRow(
                f"Row {position} lacks {_listed(missing)}, which another row has.",
                row=position,
                columns=missing,
            )
    return Table(names, [[record[name] for name in names] for record in records])


def _rows(value: object, where: str) -> list[list[object]]:
    if not isinstance(value, list):
        raise BadShape(f"{where} must be a list of rows.")
    if not value:
        raise BadShape(f"{where} is empty: give at least one row.")
    for position, row in enumerate(value):
        if not isinstance(row, list):
            raise BadShape(f"Row {position} of {where} must be a list of values.", row=position)
    return value


def _named_by_position(sent: Table, columns: Sequence[Column]) -> Table:
    return Table(tuple(column.name for column in columns), sent.rows)


def _check_width(table: Table) -> None:
    width = len(table.columns) or len(table.rows[0])
    for position, row in enumerate(table.rows):
        if len(row) != width:
            raise RaggedRow(
                f"Row {position} has {_counted(len(row), 'value')}; there are "
                f"{_counted(width, 'column')}.",
                row=position,
            )


def _in_model_order(sent: Table, columns: Sequence[Column]) -> Table:
    _check_names(sent.columns, columns)
    wanted = [column for column in columns if column.name in sent.columns]
    places = [(sent.columns.index(column.name), column) for column in wanted]
    rows = [
        [_cell(row[place], column, position) for place, column in places]
        for position, row in enumerate(sent.rows)
    ]
    return Table(tuple(column.name for column in wanted), rows)


def _check_names(names: Sequence[str], columns: Sequence[Column]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise WrongColumns(f"Given more than once: {_listed(twice)}.", columns=twice)
    known = [column.name for column in columns]
    unknown = [name for name in names if name not in known]
    missing = [column.name for column in columns if column.required and column.name not in names]
    parts = []
    if missing:
        parts.append(f"Missing: {_listed(missing)}.")
    if unknown:
        parts.append(f"Not known to the model: {_listed(unknown)}.")
    if parts:
        raise WrongColumns(" ".join(parts), missing=missing, unknown=unknown)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:NAMES_SHOWN])
    rest = len(names) - NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cell(value: object, column: Column, row: int) -> object:
    """Return a value as its column wants it; raise BadCell."""
    convert = CONVERTERS.get(column.type)
    if convert is None:
        return value
    if value is None and not column.required:
        return None
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadCell(
            f"Row {row}, column {column.name!r}: {error}", row=row, column=column.name
        ) from None


def _number(value: object) -> float:
    """Accept numbers, and null as a missing one; never a text that looks like a number."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{_shown(value)} is not a number.")
    return float(value)


def _integer(bits: int) -> Callable[[object], int]:
    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{_shown(value)} is not a whole number.")
        if value != int(value) or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError(f"{_shown(value)} is not a whole number of {bits} bits.")
        return int(value)

    return convert


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{_shown(value)} is neither true nor false.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{_shown(value)} is not a text.")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}…"


CONVERTERS: dict[str, Callable[[object], object]] = {
    "double": _number,
    "float": _number,
    "boolean": _boolean,
    "string": _text,
    **{name: _integer(bits) for name, bits in INTEGER_BITS.items()},
}
