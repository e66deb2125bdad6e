"""No SQL is put together from strings: what people say reaches the database as parameters only."""

import ast
from pathlib import Path

import pytest

import bot

FILES = [
    *Path(bot.__file__).parent.joinpath("store").glob("**/*.py"),
    *Path(bot.__file__).parents[1].glob("migrations/**/*.py"),
]
EXECUTING = {"text", "exec_driver_sql", "execute", "executescript", "executemany", "literal_column"}


def is_built(node: ast.expr) -> bool:
    is_format = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")
    )
    return isinstance(node, (ast.JoinedStr, ast.BinOp)) or is_format


def built_statements(source: str) -> list[str]:
    """Calls whose first argument, the statement, is put together; what comes after it are its parameters."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [(call, getattr(call.func, "attr", getattr(call.func, "id", ""))) for call in calls]
    return [ast.unparse(call) for call, name in names if name in EXECUTING and any(map(is_built, call.args[:1]))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_statement_is_built_from_strings(file):
    assert built_statements(file.read_text()) == []


@pytest.mark.parametrize(
    "source", ['c.execute(f"SELECT {x}")', 'text("SELECT " + x)', 'c.exec_driver_sql("SELECT {}".format(x))']
)
def test_such_a_statement_would_be_found(source):
    assert len(built_statements(source)) == 1
