"""Every operation of the OpenAPI document, with hostile parameters and bodies."""

import json
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from django.test import Client

from tests.faults.hostile.trial import Requests
from tests.faults.hostile.values import TEXTS, changed_bytes, changed_part, raw_json, text

# Records have a trial of their own, and so have delivered files.
ELSEWHERE = {("post", "/subscriptions/records/"), ("post", "/dsrs/")}
COMMON = ["limit", "cursor", "ordering", "format", "page", "offset", "id", "dsp", "period", "search"]


class RestRequests(Requests):
    """Parameters in the path and in the query, and bodies of JSON that follow the document, or nearly do."""

    share = 5

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._document = client.get("/openapi.json").json()
        self._operations = [
            (method, path, operation)
            for path, methods in sorted(self._document["paths"].items())
            for method, operation in sorted(methods.items())
            if (method, path.rstrip("/") + "/") not in ELSEWHERE
        ]

    def try_with(self, random: Random, case: list[object]) -> str:
        method, path, operation = random.choice(self._operations)
        address = self._path(random, path)
        query = self._query(random, operation)
        content = self._body(random, operation) if "requestBody" in operation else b""
        media_type = random.choice(["application/json"] * 9 + ["text/plain", "application/json; charset=utf-7"])
        headers = {"accept": random.choice(["*/*"] * 6 + ["text/csv", "text/html", "x", "application/json;q=0"])}
        case += [method, address, query, content, media_type, headers]
        with self.undone():
            response = self.client.generic(
                method.upper(), address, content, media_type, QUERY_STRING=query, headers=headers
            )
            found = self.check(response)
            if response.status_code >= 400:
                assert_explained(found)
        return f"{method} {response.status_code}"

    def _path(self, random: Random, path: str) -> str:
        parts = [
            quote(self._id(random), safe="") if part.startswith("{") else part for part in path.strip("/").split("/")
        ]
        return "/" + "/".join(parts) + random.choice(["", "/"])

    def _id(self, random: Random) -> str:
        found = random.choice(["1", "2", "3", "100", text(random)])
        # Half a surrogate pair cannot be in an address, and a slash is another address.
        return found.encode(errors="replace").decode().replace("/", "") or "1"

    def _query(self, random: Random, operation: dict[str, Any]) -> str:
        known = [one for one in operation.get("parameters", []) if one["in"] == "query"]
        chosen = [one for one in known if one.get("required") or random.random() < 0.4]
        pairs = [(one["name"], self._value(random, one["schema"])) for one in chosen]
        if random.random() < 0.15:
            pairs.append((random.choice([*COMMON, *TEXTS]), text(random)))
        if pairs and random.random() < 0.1:
            pairs.append(random.choice(pairs))
        encoded = [(name.encode(errors="surrogatepass"), value.encode(errors="surrogatepass")) for name, value in pairs]
        return urlencode(encoded)

    def _value(self, random: Random, schema: dict[str, Any]) -> str:
        return str(self._of_schema(random, schema)) if random.random() < 0.7 else text(random)

    def _body(self, random: Random, operation: dict[str, Any]) -> bytes:
        content = operation["requestBody"]["content"]
        schema = next(iter(content.values()))["schema"]
        how = random.randrange(10)
        if how == 0:
            return raw_json(random).encode(errors="surrogatepass")
        data = self._of_schema(random, schema)
        if how < 7:
            data = changed_part(random, data)
        encoded = json.dumps(data).encode()
        return changed_bytes(random, encoded) if how == 9 else encoded

    def _of_schema(self, random: Random, schema: dict[str, Any]) -> Any:
        """A value that a schema allows, roughly."""
        if "$ref" in schema:
            return self._of_schema(random, self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
        for joined in ("oneOf", "anyOf", "allOf"):
            if joined in schema:
                return self._of_schema(random, random.choice(schema[joined]))
        if "enum" in schema:
            return random.choice(schema["enum"])
        return self._of_type(random, schema)

    def _of_type(self, random: Random, schema: dict[str, Any]) -> Any:
        kind = schema.get("type")
        if kind == "object":
            parts = [part for part in sorted(schema.get("properties", {}).items()) if random.random() < 0.8]
            return {name: self._of_schema(random, part) for name, part in parts}
        if kind == "array":
            return [self._of_schema(random, schema["items"]) for _ in range(random.randrange(3))]
        if kind in ("integer", "number"):
            return random.choice([schema.get("minimum", 0), schema.get("maximum", 100), 1, 2, 2020, 10])
        if kind == "boolean":
            return random.choice(["true", "false"])
        return random.choice(["a", "Spotify", "2020-01", "2020-01-01", "ES", "EUR", "1.50", "-created", "1"])


def assert_explained(found: Any) -> None:
    """A refusal has a text and a code, or those of each wrong parameter by its name."""
    assert isinstance(found, dict)
    assert found, "a refusal without a reason"
    if "detail" in found:
        assert isinstance(found["detail"], str)
        assert found["detail"]
        assert found.get("code") or found == {"detail": "Not found."}, found
        return
    for name, problems in found.items():
        _assert_problems(name, problems)


def _assert_problems(name: str, problems: Any) -> None:
    assert problems, name
    if isinstance(problems, dict) and "message" not in problems:
        for inner, found in problems.items():
            _assert_problems(inner, found)
        return
    for problem in problems if isinstance(problems, list) else [problems]:
        if problem:  # Of the items of a list, those without a problem are blank.
            assert isinstance(problem, dict)
            assert problem.keys() >= {"message", "code"} or all(
                isinstance(one, list | dict) for one in problem.values()
            )
