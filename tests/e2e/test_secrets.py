"""No secret is printed, logged, registered or passed as an argument, whatever the servers say."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from tests.e2e.rawserver import Conn, RawServer, welcomes
from tests.inline import Here
from tests.processes import Wscli

TOKEN, COMMANDED, QUERY, HEADER = "tokenS3KRIT", "commandedS3KRIT", "queryS3KRIT", "headerS3KRIT"
USERINFO, VARIABLE, KEY = "userinfoS3KRIT", "variableS3KRIT", "keyS3KRIT"
SIGN = "S3KRIT"

CONFIG = """
version: 1
name: secret
endpoints:
  api:
    url: "{url}/ws?own={query}"
    query: {{token: "{{token.session}}", other: "{{token.commanded}}", plain: {query}}}
    headers: {{X-Api-Key: {header}, X-Variable: "${{A_VARIABLE}}"}}
tokens:
  session:
    http: {{post: "{http}/token?k={query}", headers: {{Authorization: "Bearer ${{A_KEY}}"}}}}
    read: {{token: .token}}
  commanded: {{command: [sh, -c, "echo $A_COMMANDED"]}}
verdicts: {{3xx: stop}}
backoff:
  default: {{initial: 10m, max: 10m, jitter: none}}
channels:
  feed: {{endpoint: api, path: /feed}}
"""
THAT_REPORT = [
    "status", "status --json", "stats --json", "doctor feed", "doctor feed --json --dial",
    "send feed x --timeout 100ms", "wait feed --timeout 100ms", "logs --json", "logs --level debug", "ls --json",
]  # fmt: skip
OTHERS = [
    "stats", "status --line", "token ls --json", "token refresh session", "config show app.yaml",
    "config show app.yaml --json", "config check app.yaml", "tail feed --no-follow --json", "reload", "logs",
]  # fmt: skip


@contextmanager
def token_server(*, echo: bool) -> Iterator[str]:
    """A token desk; with ``echo`` one that refuses, and quotes what it was sent."""

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            quoted = f"no {self.path} {self.headers['Authorization']}"
            body = json.dumps({"error": "no", "error_description": quoted} if echo else {"token": TOKEN})
            self.send_response(403 if echo else 200, quoted if echo else None)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def quotes_as_it_closes(conn: Conn) -> None:
    conn.upgrade()
    conn.close(4999, f"no {TOKEN} {QUERY} {HEADER} {VARIABLE} {COMMANDED} of Basic {USERINFO}")


def quotes_as_it_refuses(conn: Conn) -> None:
    line, _, rest = conn.read_request().partition(b"\r\n")
    echo = rest.replace(b"\r\n", b" ").strip()
    conn.sock.sendall(b"HTTP/1.1 403 no " + line + b"\r\nX-Echo: " + echo + b"\r\n\r\n" + line + echo[:200])


def quotes_nonsense(conn: Conn) -> None:
    conn.sock.sendall(b"no " + conn.read_request())


def leads_elsewhere(conn: Conn) -> None:
    conn.read_request()
    conn.sock.sendall(f"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.2:9/?t={TOKEN}\r\n\r\n".encode())


SCRIPTS = [welcomes, quotes_as_it_closes, quotes_as_it_refuses, quotes_nonsense, leads_elsewhere]


@pytest.mark.parametrize(("script", "echo"), [*((script, False) for script in SCRIPTS), (welcomes, True)])
def test_no_secret_appears_in_any_output_log_or_argument(
    wscli: Wscli, here: Here, script: Callable[[Conn], None], echo: bool
) -> None:
    wscli.env |= {"A_VARIABLE": VARIABLE, "A_KEY": KEY, "A_COMMANDED": COMMANDED}
    seen: dict[str, str] = {}

    def run(line: str) -> None:
        done = wscli(*line.split()) if line.startswith("up") else here(wscli, *line.split())
        seen[line] = done.stdout + done.stderr

    with RawServer(script) as server, token_server(echo=echo) as http:
        url = server.url.replace("//", f"//bob:{USERINFO}@")
        text = CONFIG.format(url=url, http=http, query=QUERY, header=HEADER)
        wscli.file(text)
        run("up -d -c app.yaml")
        try:
            state = "failed" if script is leads_elsewhere else "waiting"
            state = "ready" if script is welcomes and not echo else state
            run(f"wait feed --for {state} --timeout 60s")
            assert seen[f"wait feed --for {state} --timeout 60s"] == ""
            for line in THAT_REPORT + OTHERS * (script is welcomes):
                run(line)
            pid = json.loads(seen["ls --json"])["pid"]
            for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
                seen[f"arguments of {process.pid}"] = " ".join(process.cmdline())
            assert len(server.dials) >= (0 if echo else 2), "its own, and that of doctor"
            for file in (*wscli.runtime.iterdir(), *Path(wscli.directory / "state").rglob("*")):
                if file.is_file():
                    seen[str(file)] = file.read_text()
        finally:
            run("down")
        assert {name: said for name, said in seen.items() if SIGN in said} == {}
        assert wscli.directory / "state" / "wscli" / "secret.log" in map(Path, seen)


def test_no_secret_appears_in_the_errors_of_an_invalid_file(wscli: Wscli) -> None:
    wscli.env |= {"A_VARIABLE": VARIABLE, "A_KEY": KEY}
    text = CONFIG.format(url=f"htp://bob:{USERINFO}@127.0.0.1", http="http://127.0.0.1:9", query=QUERY, header=HEADER)
    wscli.file(text.replace("post:", "pots:").replace("X-Api-Key:", "'X Api Key':"))
    for verb in (["config", "check", "app.yaml"], ["config", "show", "app.yaml"], ["up", "-c", "app.yaml"]):
        done = wscli(*verb)
        assert done.returncode == 3
        assert len(done.stderr.splitlines()) >= 4
        assert SIGN not in done.stdout + done.stderr
