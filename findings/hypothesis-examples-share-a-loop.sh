#!/bin/sh
# With pytest-asyncio 1.5.0, all examples of one Hypothesis test run in one event loop and one context.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    "pytest==9.2.0" "pytest-asyncio==1.5.0" "hypothesis==6.170.15"
cat >"$folder/test_examples.py" <<'PYTHON'
import asyncio
import contextvars

import pytest
from hypothesis import given, settings
from hypothesis import strategies

request = contextvars.ContextVar("request", default=None)
loops = {"parameters": [], "examples": []}
tasks_left = {"parameters": 0, "examples": 0}
requests_left = {"parameters": 0, "examples": 0}


async def forget_a_task(kind, number):
    loops[kind].append(asyncio.get_running_loop())
    tasks_left[kind] = len(asyncio.all_tasks()) - 1
    requests_left[kind] += request.get() is not None
    request.set(number)
    asyncio.create_task(asyncio.sleep(60))


@pytest.mark.asyncio
@pytest.mark.parametrize("number", range(5))
async def test_parameters(number):
    await forget_a_task("parameters", number)


@pytest.mark.asyncio
@settings(max_examples=5, derandomize=True, database=None, deadline=None)
@given(strategies.integers(min_value=0, max_value=1000))
async def test_examples(number):
    await forget_a_task("examples", number)


def test_report():
    for kind in loops:
        print(f"{kind}: {len(loops[kind])} runs, {len(set(loops[kind]))} loops, {tasks_left[kind]} tasks of earlier runs "
              f"alive at the last, {requests_left[kind]} runs saw an earlier run's context variable")
PYTHON
cd "$folder"
unset PYTEST_ADDOPTS
echo "about:   property tests of asynchronous code"
"$folder/venv/bin/python" -c '
from importlib.metadata import version
print("version: " + ", ".join(f"{name} {version(name)}" for name in ("pytest-asyncio", "hypothesis", "pytest")))'
echo "guess:   each example starts as each parametrised run does: in a loop of its own, with no task or context left"
"$folder/venv/bin/python" -m pytest --quiet --capture=no -p no:cacheprovider -W ignore \
    -o asyncio_default_fixture_loop_scope=function test_examples.py >report || { cat report >&2; exit 1; }
grep ' runs, ' report | sed -e 's/^[.]*//' -e '1s/^/seen:    /' -e '2s/^/         /'
echo "source:  pytest_asyncio/plugin.py, AsyncHypothesisTest and _synchronize_coroutine: one asyncio.Runner, one context"
echo "         for the test function, and Hypothesis calls that function once for each example"
if ! grep -q 'parameters: 5 runs, 5 loops, 0 tasks .* 0 runs saw' report ||
    ! grep -q 'examples: 5 runs, 1 loops, 4 tasks .* 4 runs saw' report; then
    echo "This is no longer so." >&2
    exit 1
fi
