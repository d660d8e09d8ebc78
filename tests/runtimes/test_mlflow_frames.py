import math

import pytest

from runtimes.mlflow.scoring.frames import (
    BadCell,
    BadShape,
    Column,
    RaggedRow,
    Table,
    WrongColumns,
    first_gap,
    table_from,
)

COLUMNS = [Column("alcohol", "double"), Column("year", "long"), Column("note", "string", False)]


def split(columns, *rows):
    return {"client_request_id": "1", "dataframe_split": {"columns": columns, "data": list(rows)}}


def test_columns_are_put_in_the_models_order():
    table = table_from(split(["year", "alcohol"], [1999, 12]), COLUMNS)
    assert table == Table(("alcohol", "year"), [[12.0, 1999]])


def test_missing_and_unknown_columns_are_named():
    with pytest.raises(WrongColumns) as caught:
        table_from(split(["alcohol", "yaer"], [1, 2]), COLUMNS)
    assert caught.value.where == {"missing": ["year"], "unknown": ["yaer"]}
    assert "'year'" in str(caught.value)
    assert "'yaer'" in str(caught.value)


def test_a_column_given_twice_is_refused():
    with pytest.raises(WrongColumns, match="more than once: 'year'"):
        table_from(split(["alcohol", "year", "year"], [1, 2, 3]), COLUMNS)


def test_a_ragged_row_is_named():
    with pytest.raises(RaggedRow) as caught:
        table_from(split(["alcohol", "year"], [1, 2], [1]), COLUMNS)
    assert caught.value.where == {"row": 1}


@pytest.mark.parametrize("cell", ["12", True, [], {}])
def test_a_cell_that_is_no_number_is_named(cell):
    with pytest.raises(BadCell) as caught:
        table_from(split(["alcohol", "year"], [1, 2], [cell, 2]), COLUMNS)
    assert caught.value.where == {"row": 1, "column": "alcohol"}


@pytest.mark.parametrize("cell", [1.5, 2**63, math.inf, math.nan, None])
def test_a_cell_that_is_no_whole_number_is_refused(cell):
    with pytest.raises(BadCell, match="column 'year'"):
        table_from(split(["alcohol", "year"], [1, cell]), COLUMNS)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"dataframe_split": []},
        {"dataframe_split": {"columns": ["alcohol"]}},
        {"dataframe_split": {"columns": "alcohol", "data": [[1]]}},
        {"dataframe_split": {"columns": [1], "data": [[1]]}},
        {"dataframe_split": {"columns": [], "data": []}},
        {"dataframe_split": {"columns": [], "data": [1]}},
        {"dataframe_records": [[1]]},
        {"inputs": [[1]], "instances": [[1]]},
    ],
)
def test_a_body_of_another_shape_is_refused(body):
    with pytest.raises(BadShape):
        table_from(body, COLUMNS)


def test_rows_without_names_are_taken_in_the_models_order():
    table = table_from({"inputs": [[12, 1999, "dry"]]}, COLUMNS)
    assert table.rows == [[12.0, 1999, "dry"]]


def test_records_of_different_keys_are_ragged():
    body = {"dataframe_records": [{"alcohol": 1, "year": 2}, {"alcohol": 1}]}
    with pytest.raises(RaggedRow, match="Row 1 lacks 'year'"):
        table_from(body, COLUMNS)


def test_the_first_gap_is_found():
    gap = first_gap(Table(("a", "b"), [[1.0, 2.0], [1.0, math.nan]]))
    assert gap is not None
    assert gap.where == {"row": 1, "column": "b"}
    assert first_gap(Table(("a",), [[1.0]])) is None
