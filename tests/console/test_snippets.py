"""Programs that call a service: the shape of each; `tests/real` runs them."""

import ast
import json
import shlex

import pytest

from console.snippets import Call, example_body, snippets

URL = "http://127.0.0.1:8080/ms-abc"
SIGNATURE = {"inputs": [{"name": "it's", "type": "double"}, {"name": "kind", "type": "string"}]}


def made(task: str, key: str = "DW-ms-abc-x", **changes) -> dict[str, str]:
    call = Call(url=URL, task=task, model="tiny", key=key, signature=SIGNATURE, **changes)
    return {snippet.slug: snippet.text for snippet in snippets(call)}


@pytest.mark.parametrize("task", ["chat", "embeddings", "predict", "rerank"])
@pytest.mark.parametrize("key", ["DW-ms-abc-x", ""])
def test_python_programs_compile(task, key):
    for slug, text in made(task, key).items():
        if slug in {"python", "openai"}:
            ast.parse(text)


@pytest.mark.parametrize("task", ["chat", "embeddings", "predict"])
def test_the_body_of_curl_is_the_example_after_the_shell_read_it(task):
    words = shlex.split(made(task)["curl"].replace("\\\n", " "))
    body = json.loads(words[words.index("-d") + 1])
    assert body == example_body(task, "tiny", SIGNATURE)
    assert "Authorization: DW-ms-abc-x" in words


def test_without_a_key_programs_read_the_variable():
    texts = made("chat", "")
    assert '"Authorization: $SLIPWAY_KEY"' in texts["curl"]
    assert 'os.environ["SLIPWAY_KEY"]' in texts["python"]
    assert "process.env.SLIPWAY_KEY" in texts["javascript"]


def test_without_authentication_no_key_is_sent():
    assert "Authorization" not in made("predict", "", auth=False)["curl"]


def test_only_openai_tasks_have_the_openai_program():
    assert "openai" in made("embeddings")
    assert "openai" not in made("predict")


def test_a_signature_without_example_makes_a_row_of_its_types():
    split = example_body("predict", "wine", SIGNATURE)["dataframe_split"]
    assert split == {"columns": ["it's", "kind"], "data": [[1.0, "text"]]}
