#!/usr/bin/env python3
"""How long a bundle takes from the start of its process to its first call of /next, which Lambda calls the init phase.

    cargo local up &
    local/cold-start.py [TIMES] target/lambda/issue-api/bootstrap target/lambda/issue-worker/bootstrap

Speaks just as much of the Runtime and the Extensions API as a function needs for its init, against the broker and the
tables of a sandbox at its default ports (functions.env). Needs nothing but Python.
"""
import http.server
import os
import pathlib
import subprocess
import sys
import threading
import time

REGISTERED = b'{"functionName":"f","functionVersion":"1","handler":"bootstrap","accountId":"123456789012"}'
INIT_MAX_SECONDS = 10


class Host(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = threading.Event()
    asked_at = 0.0

    def do_POST(self):  # an extension registers
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("lambda-extension-identifier", "cold-start")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(REGISTERED)))
        self.end_headers()
        self.wfile.write(REGISTERED)

    def do_GET(self):  # /next, of the function or of its extension: nothing ever comes
        if self.path.endswith("/runtime/invocation/next"):
            Host.asked_at = time.perf_counter()
            Host.asked.set()
        self.close_connection = True
        threading.Event().wait()

    def log_message(self, *_):
        pass


def variables(port):
    told = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}", "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "RUST_LOG": "error"}
    for line in (pathlib.Path(__file__).parent / "functions.env").read_text().splitlines():
        if line and not line.startswith("#"):
            told.update([line.split("=", 1)])
    return told


def init_ms(bundle, environment):
    Host.asked.clear()
    start = time.perf_counter()
    process = subprocess.Popen([bundle], env=environment)
    asked = Host.asked.wait(INIT_MAX_SECONDS)
    process.kill()
    process.wait()
    if not asked:
        sys.exit(f"{bundle} did not ask for work within {INIT_MAX_SECONDS} s; does `cargo local up` run?")
    return (Host.asked_at - start) * 1000


def main(arguments):
    times = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else 30
    if not arguments:
        sys.exit(__doc__)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = variables(server.server_port)
    for bundle in arguments:
        took = sorted(init_ms(bundle, environment) for _ in range(times))
        size = os.path.getsize(bundle) / 1e6
        print(f"{bundle}: {size:.1f} MB; init of {times} starts: fastest {took[0]:.0f} ms, "
              f"median {took[times // 2]:.0f} ms, 90 % within {took[times * 9 // 10]:.0f} ms, slowest {took[-1]:.0f} ms")


main(sys.argv[1:])
