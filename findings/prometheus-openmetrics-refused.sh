#!/bin/sh
# prometheus-client 0.26.0 sends OpenMetrics to a scraper that refuses it, and to one that likes plain text better.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "prometheus-client==0.26.0"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import urllib.request
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, start_http_server

print("about:   which of its two text formats a metrics page is sent in")
print("version: prometheus-client", version("prometheus-client"))
print("guess:   the weights of the Accept header decide: the format with the greatest one, and none with weight 0")

registry = CollectorRegistry()
Counter("replies", "Replies sent", registry=registry).inc()
server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
outcomes = []
for number, accept in enumerate(["text/plain", "text/plain, application/openmetrics-text;q=0.1",
                                 "text/plain, application/openmetrics-text;q=0"]):
    page = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/metrics", headers={"Accept": accept})
    with opener.open(page, timeout=10) as answer:
        kind, ends = answer.headers["Content-Type"].split(";")[0], answer.read().endswith(b"# EOF\n")
    print("seen:   " if number == 0 else "        ", f"Accept: {accept} -> {kind}{', ends in # EOF' if ends else ''}")
    outcomes.append(kind)
server.shutdown()
print("source:  prometheus_client/exposition.py, choose_encoder: the first OpenMetrics entry wins, no weight is read;")
print("         RFC 9110, section 12.4.2: a weight of 0 means not acceptable; opentelemetry-specification pull request")
print("         5136 says so of the Python client")
if outcomes != ["text/plain", "application/openmetrics-text", "application/openmetrics-text"]:
    sys.exit("This is no longer so.")
PYTHON
