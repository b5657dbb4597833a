#!/usr/bin/env bash
# Captures go to a server as they are made (documented Part 2, pattern 6: real-time streaming): the
# object with frame_number and image, with retries, a circuit breaker and a folder for outages. The
# server here is a few lines of Python that keep what arrives.
#   stream-to-server.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"
need_command python3 python3

python3 - "$out" <<'PYTHON' &
import base64, json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

out = sys.argv[1]

class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        capture = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        image = base64.b64decode(capture.pop("image"))
        with open(f"{out}/{capture['frame_number']:06}.jpg", "wb") as file:
            file.write(image)
        with open(f"{out}/received.jsonl", "a") as file:
            print(json.dumps(capture), file=file)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass

server = HTTPServer(("127.0.0.1", 0), Receiver)
with open(f"{out}/port", "w") as file:
    print(server.server_port, file=file)
server.serve_forever()
PYTHON
server=$!
trap 'kill "$server"' EXIT
until [[ -s $out/port ]]; do sleep 0.05; done

launch dsframeinject pattern=objects num-buffers=600 \
    ! dsframecapture classes=person min-objects=2 cooldown=1000000000 \
    endpoint="http://127.0.0.1:$(<"$out/port")/captures" endpoint-spool="$out/spool"
rm -r "$out/port" "$out/spool"
echo "the server received:"
python3 -c '
import json, sys
for line in open(sys.argv[1]):
    it = json.loads(line)
    print("  frame %3d, %s" % (it["frame_number"], ", ".join(it["object_classes"])))
' "$out/received.jsonl"
report
