"""`push` where there is no Label Studio to answer; tests/label_studio has the real one."""

from __future__ import annotations

import signal
import socket


def test_a_push_that_is_interrupted_at_once_knows_of_no_tasks(run):
    """Ctrl-C before the server has answered ends with 130, and nothing is said of the tasks."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run.use(LABEL_STUDIO_API_KEY="0" * 40)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with run.start("push", "--project", "1", "--url", url) as process:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert err == "transcribe-pipeline: interrupted; the same command goes on.\n"
