"""Reference pages that are written from the code: the commands, and the routes of the service."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from kerasviz.cli import commands
from kerasviz.service.api.app import create_app
from kerasviz.service.api.responses import ERRORS
from kerasviz.service.settings import ServiceSettings

#: Columns of the help texts.
COLUMNS = 92


def command_reference() -> str:
    """Return the help texts of all commands as Markdown."""
    return "\n".join(_help(commands, "kerasviz", 2))


def _help(command: click.Command, name: str, level: int) -> list[str]:
    context = click.Context(command, info_name=name, max_content_width=COLUMNS)
    context.terminal_width = COLUMNS
    parts = [f"{'#' * level} {name}\n", f"```text\n{command.get_help(context).strip()}\n```\n"]
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            if found and not found.hidden:
                parts += _help(found, f"{name} {sub}", min(level + 1, 3))
    return parts


def http_reference() -> str:
    """Return the routes of the service as Markdown, from its OpenAPI description."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(ServiceSettings(Path(folder), allow_upload=True))
        app.state.service.database.close()
        api = app.openapi()
    parts = [_table(("status", "meaning"), [(str(k), v["description"]) for k, v in ERRORS.items()])]
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            parts += _operation(path, method, operation)
    parts.append("## Bodies and answers\n")
    for name, schema in sorted(api["components"]["schemas"].items()):
        if schema.get("properties") and "ValidationError" not in name:
            parts += _schema(name, schema)
    return "\n".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    parts = [f"### {method.upper()} `{path}`\n", f"{operation.get('description', '').strip()}\n"]
    rows = [
        (f"`{each['name']}`", each["in"], _kind(each.get("schema", {})))
        for each in operation.get("parameters", [])
    ]
    if rows:
        parts.append(_table(("parameter", "in", "type"), rows))
    body = operation.get("requestBody", {}).get("content", {})
    for media, content in body.items():
        parts.append(f"Body: `{media}`, {_kind(content.get('schema', {}))}.\n")
    answers = []
    for status, answer in operation.get("responses", {}).items():
        if int(status) in ERRORS:
            continue
        kinds = [
            f"`{media}` {_kind(content.get('schema', {}))}".strip()
            for media, content in answer.get("content", {}).items()
        ]
        answers.append((status, answer.get("description", ""), ", ".join(kinds)))
    parts.append(_table(("status", "meaning", "answer"), answers))
    return parts


def _schema(name: str, schema: dict[str, Any]) -> list[str]:
    required = set(schema.get("required", []))
    rows = [
        (f"`{key}`", _kind(value), "yes" if key in required else "", value.get("description", ""))
        for key, value in schema["properties"].items()
    ]
    about = schema.get("description", "").strip()
    return [f"### {name}\n", f"{about}\n", _table(("field", "type", "required", "meaning"), rows)]


def _kind(schema: dict[str, Any]) -> str:
    """Return the type that a JSON schema describes, with links to named ones."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if "ValidationError" not in name else "validation error"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_kind(each) for each in schema[key]))
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if schema.get("items") else "list"
    return str(schema.get("type", ""))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
