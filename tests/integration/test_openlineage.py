"""Events reach an OpenLineage server over HTTP, and a server that fails is named."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from storage.errors import UnavailableError
from tasks.provenance.exports.openlineage import export_openlineage, run_events, send
from tests.stored_home import fill_home


@pytest.fixture
def server():
    """A server that keeps what is posted; `status` is what it answers."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.status, made.received = 200, received
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join(10)
    made.server_close()


def test_events_are_posted_as_they_are_exported(tmp_path, server):
    home = fill_home(tmp_path).home
    url = f"http://127.0.0.1:{server.server_port}"
    assert server.received == []
    assert send(run_events(home, "answer:01ANSWER"), url, api_key="k") == 2
    assert {path for path, _, _ in server.received} == {"/api/v1/lineage"}
    assert {key for _, key, _ in server.received} == {"Bearer k"}
    events = [event for _, _, event in server.received]
    assert events == export_openlineage(home, "answer:01ANSWER")


def test_a_server_that_refuses_is_named(tmp_path, server):
    home = fill_home(tmp_path).home
    server.status = 422
    url = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(UnavailableError, match="event 1 of 2"):
        send(run_events(home, "answer:01ANSWER"), url)


def test_a_server_that_is_not_there_is_named(tmp_path, server):
    home = fill_home(tmp_path).home
    port = server.server_port
    server.server_close()
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}"):
        send(run_events(home, "answer:01ANSWER"), f"http://127.0.0.1:{port}")
