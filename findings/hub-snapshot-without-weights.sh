#!/bin/sh
# huggingface_hub 2.4.0: asked for the weights while the hub is busy, snapshot_download returns a folder without any.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "huggingface_hub==2.4.0"
HF_HOME="$folder/cache" NO_PROXY=127.0.0.1 "$folder/venv/bin/python" - <<'PYTHON'
import http.server
import os
import sys
import threading


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub on this machine with one model, that answers 503 while it is busy."""

    busy = False
    files = {"config.json": b'{"model_type": "llama"}', "model.safetensors": bytes(64)}

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        body = self.files.get(name, b"")
        self.send_response(503 if self.busy else 200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{name}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"

import huggingface_hub  # after the endpoint is set, which it reads at import

print("about:   a download in two steps: config.json first, to see whether the model fits, then the weights")
print("version: huggingface_hub", huggingface_hub.__version__)
print("guess:   if the hub answers 503 at the second step, the second step raises an error")

huggingface_hub.hf_hub_download("small/model", "config.json")
Hub.busy = True
try:
    path = huggingface_hub.snapshot_download("small/model", allow_patterns=["*.safetensors"])
    seen = "a folder with " + ", ".join(sorted(os.listdir(path)))
except Exception as error:
    seen = type(error).__name__
server.shutdown()
print('seen:    snapshot_download(..., allow_patterns=["*.safetensors"]) returns', seen)
print("source:  huggingface_hub/_snapshot_download.py, snapshot_download: each HfHubHTTPError but RevisionNotFoundError")
print("         falls back to the cache; IncompleteSnapshotError needs the list of files, which snapshot_download keeps")
print("         when the hub has answered it and hf_hub_download never does;")
print("         huggingface_hub issues 3007 and 4624")
if seen != "a folder with config.json":
    sys.exit("This is no longer so.")
PYTHON
