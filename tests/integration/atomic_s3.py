"""Run moto's S3 server with one PUT at a time: python atomic_s3.py PORT.

Its own check of If-None-Match and the write that follows are not one step, so that two writers
can both win. S3 itself promises that only one does, and Delta's commits rest on that.
"""

import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

PUT_LOCK = threading.Lock()
APPLICATION = DomainDispatcherApplication(create_backend_app)


def application(environ, start_response):
    """Answer a request; PUTs wait for each other."""
    if environ["REQUEST_METHOD"] != "PUT":
        return APPLICATION(environ, start_response)
    with PUT_LOCK:
        return list(APPLICATION(environ, start_response))


if __name__ == "__main__":
    port = int(sys.argv[1])
    run_simple("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)
