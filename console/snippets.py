"""Calls of a service as programs that run exactly as pasted, in four languages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEY_VARIABLE = "SLIPWAY_KEY"
PATHS: Mapping[str, str] = {
    "chat": "/v1/chat/completions",
    "embeddings": "/v1/embeddings",
    "rerank": "/rerank",
    "predict": "/predict",
}


@dataclass(frozen=True)
class Call:
    """What is called: the service's address, its task, its model, and the key or "" for none.

    An empty key makes the programs read it from the environment variable SLIPWAY_KEY.
    """

    url: str
    task: str
    model: str
    key: str = ""
    auth: bool = True
    signature: Mapping[str, Any] | None = None

    @property
    def path(self) -> str:
        """Return the path that serves the task."""
        return PATHS[self.task]


@dataclass(frozen=True)
class Snippet:
    """One program: a short slug, the language's label, what must be installed, and the text."""

    slug: str
    label: str
    text: str
    needs: str = ""


def example_body(task: str, model: str, signature: Mapping[str, Any] | None = None) -> Any:
    """Return the body of a first request that a service of this task answers."""
    if task == "chat":
        message = {"role": "user", "content": "Say hello in five words."}
        return {"model": model, "messages": [message], "max_tokens": 64}
    if task == "embeddings":
        return {"model": model, "input": "A sentence to turn into a vector."}
    if task == "rerank":
        return {"query": "What is a slipway?", "texts": ["A ramp for ships.", "A kind of tea."]}
    return _prediction(signature or {})


def snippets(call: Call) -> list[Snippet]:
    """Return the programs for a service; `openai` only where the task speaks its protocol."""
    found = [curl(call), _requests(call)]
    if call.task in {"chat", "embeddings"}:
        found.append(_openai(call))
    return [*found, _javascript(call)]


def curl(call: Call) -> Snippet:
    """Return the call as a shell command."""
    body = example_body(call.task, call.model, call.signature)
    return Snippet("curl", "curl", curl_command(call, call.path, _json(body)))


def curl_command(call: Call, path: str, body: str, method: str = "POST") -> str:
    """Return any request to a service as a shell command."""
    lines = [f"curl -X {method} {_quote(call.url + path)}"]
    if call.auth:
        # Single quotes keep a shell from reading the key; a variable needs double ones.
        key = _quote(f"Authorization: {call.key}") if call.key else _variable()
        lines.append(f"-H {key}")
    if body:
        lines += ["-H 'Content-Type: application/json'", f"-d {_quote(body)}"]
    return " \\\n  ".join(lines)


def _prediction(signature: Mapping[str, Any]) -> Any:
    if example := signature.get("example"):
        return example
    columns = [column["name"] for column in signature.get("inputs", []) if "name" in column]
    rows = [[_sample(column) for column in signature.get("inputs", [])]]
    split = {"columns": columns, "data": rows}
    return {"client_request_id": "123456", "dataframe_split": split}


def _sample(column: Mapping[str, Any]) -> Any:
    samples = {"string": "text", "boolean": True, "long": 1, "integer": 1}
    return samples.get(str(column.get("type")), 1.0)


def _requests(call: Call) -> Snippet:
    body = _python(example_body(call.task, call.model, call.signature))
    headers = f'headers={{"Authorization": {_python_key(call)}}},\n    ' if call.auth else ""
    text = f"""import requests

answer = requests.post(
    "{call.url}{call.path}",
    {headers}json={body},
    timeout=300,
)
answer.raise_for_status()
print(answer.json())"""
    return Snippet("python", "Python", _importing(text), needs="pip install requests")


def _openai(call: Call) -> Snippet:
    text = f"""from openai import OpenAI

client = OpenAI(base_url="{call.url}/v1", api_key={_python_key(call)})
{_openai_call(call)}"""
    return Snippet("openai", "openai", _importing(text), needs="pip install openai")


def _openai_call(call: Call) -> str:
    body = example_body(call.task, call.model)
    if call.task == "embeddings":
        return f"""answer = client.embeddings.create(
    model="{call.model}",
    input={_python(body["input"])},
)
print(answer.data[0].embedding[:8])"""
    return f"""stream = client.chat.completions.create(
    model="{call.model}",
    messages={_python(body["messages"])},
    max_tokens={body["max_tokens"]},
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()"""


def _javascript(call: Call) -> Snippet:
    body = _json(example_body(call.task, call.model, call.signature), indent=2)
    key = f'"{call.key}"' if call.key else f"process.env.{KEY_VARIABLE}"
    authorization = f"\n    Authorization: {key}," if call.auth else ""
    indented = body.replace("\n", "\n  ")
    text = f"""const answer = await fetch("{call.url}{call.path}", {{
  method: "POST",
  headers: {{{authorization}
    "Content-Type": "application/json",
  }},
  body: JSON.stringify({indented}),
}});
if (!answer.ok) throw new Error(`${{answer.status}}: ${{await answer.text()}}`);
console.log(JSON.stringify(await answer.json(), null, 2));"""
    return Snippet("javascript", "JavaScript", text, needs="Node.js 18, saved as call.mjs")


def _python_key(call: Call) -> str:
    if not call.auth:
        return '"none"'
    return f'"{call.key}"' if call.key else f'os.environ["{KEY_VARIABLE}"]'


def _importing(text: str) -> str:
    return f"import os\n\n{text}" if "os.environ" in text else text


def _python(value: Any) -> str:
    """Return a JSON value as Python writes it."""
    if isinstance(value, dict):
        inside = ", ".join(f"{_json(name)}: {_python(part)}" for name, part in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return "[" + ", ".join(_python(part) for part in value) + "]"
    if value is None or isinstance(value, bool):
        return repr(value)
    return _json(value)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _quote(text: str) -> str:
    """Quote for a POSIX shell, always, so that a masked key can be replaced inside."""
    return "'" + text.replace("'", "'\\''") + "'"


def _variable() -> str:
    return f'"Authorization: ${KEY_VARIABLE}"'
