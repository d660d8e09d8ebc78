"""How alike embeddings are, as numbers and as a Plotly figure; pure."""

import math
import operator
from collections.abc import Sequence
from typing import Any

MOST_SHOWN = 24
LABEL_LENGTH = 60
ROUNDS = 200
SMALLEST = 1e-12
Vector = Sequence[float]


def cosine(one: Vector, other: Vector) -> float:
    """Return the cosine of the angle between two vectors; 0 where one has no length."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def similarities(vectors: Sequence[Vector]) -> list[list[float]]:
    """Return the cosine of each vector with each other, as a symmetric table."""
    table = [[1.0] * len(vectors) for _ in vectors]
    for row, one in enumerate(vectors):
        for column, other in enumerate(vectors[:row]):
            table[row][column] = table[column][row] = round(cosine(one, other), 4)
    return table


def plane(vectors: Sequence[Vector]) -> list[tuple[float, float]]:
    """Return the vectors' places on the plane that keeps most of their distances (PCA)."""
    mean = [math.fsum(column) / len(vectors) for column in zip(*vectors, strict=True)]
    centred = [[a - b for a, b in zip(vector, mean, strict=True)] for vector in vectors]
    gram = [[math.fsum(map(operator.mul, one, other)) for other in centred] for one in centred]
    first = _axis(gram)
    return list(zip(first, _axis(_without(gram, first)), strict=True))


def plane_figure(texts: Sequence[str], vectors: Sequence[Vector]) -> dict[str, Any]:
    """Return a scatter plot in which texts of like meaning lie close together."""
    places = plane(vectors)
    dots = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [round(x, 4) for x, _ in places],
        "y": [round(y, 4) for _, y in places],
        "text": [str(number) for number in range(1, len(places) + 1)],
        "customdata": list(texts),
        "textposition": "top center",
        "marker": {"size": 10},
        "hovertemplate": "%{text}. %{customdata}<extra></extra>",
    }
    axis = {"zeroline": False, "showticklabels": False, "title": {"text": ""}}
    layout = {
        "margin": {"l": 16, "r": 16, "t": 16, "b": 16},
        "xaxis": axis,
        "yaxis": axis,
        "height": 280,
        "showlegend": False,
    }
    return {"data": [dots], "layout": layout}


def _axis(gram: Sequence[Vector]) -> list[float]:
    """Return each row's place along the strongest direction, by power iteration."""
    direction = [1.0 + number for number in range(len(gram))]
    length = 0.0
    for _ in range(ROUNDS):
        turned = [math.fsum(map(operator.mul, row, direction)) for row in gram]
        length = math.hypot(*turned)
        if length < SMALLEST:
            return [0.0] * len(gram)
        direction = [value / length for value in turned]
    return [value * math.sqrt(length) for value in direction]


def _without(gram: Sequence[Vector], places: Vector) -> list[list[float]]:
    return [
        [value - places[row] * places[column] for column, value in enumerate(values)]
        for row, values in enumerate(gram)
    ]


def of_answer(request: Any, answer: Any) -> dict[str, Any] | None:
    """Return texts, similarities and figure of an answer; None where it holds no two vectors."""
    data = answer.get("data") if isinstance(answer, dict) else None
    given = request.get("input") if isinstance(request, dict) else None
    if not isinstance(data, list) or not isinstance(given, list) or len(data) != len(given):
        return None
    vectors: list[Any] = [i.get("embedding") if isinstance(i, dict) else None for i in data]
    if len(vectors) <= 1 or not all(_is_vector(v, vectors[0]) for v in vectors):
        return None
    texts = [_label(str(text)) for text in given[:MOST_SHOWN]]
    shown = vectors[:MOST_SHOWN]
    table = similarities(shown)
    return {"texts": texts, "similarities": table, "figure": plane_figure(texts, shown)}


def _is_vector(value: Any, first: Any) -> bool:
    return (
        isinstance(value, list)
        and isinstance(first, list)
        and len(value) == len(first)
        and all(isinstance(number, (int, float)) for number in value)
    )


def _label(text: str) -> str:
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"
