"""A real Label Studio on the loopback interface, with strict validation of predictions.

python -m tests.label_studio_server.server FOLDER    # makes a migrated data directory, once
"""

from __future__ import annotations

import http.cookiejar
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, clean_environment, end, free_port

VENV = ROOT / ".venv-label-studio"
SEED = VENV / "seed"
EMAIL = "admin@example.com"
PASSWORD = "ls-test-password-1"
LEGACY_TOKEN = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class LabelStudio:
    """One server in its own process; `more` is environment for it. Its data lives in `folder`."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    token: str = LEGACY_TOKEN

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = 90) -> None:
        """Start it and wait until it answers; a first start makes the database."""
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(VENV / "bin" / "label-studio", "start", "--no-browser"),
                    *("--internal-host", "127.0.0.1", "--port", str(self.port)),
                ],
                cwd=self.folder,
                env=_environment(self.folder) | self.more,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + seconds
        while not self._answers():
            assert self._process.poll() is None, f"Label Studio ended: see {log.name}"
            assert time.monotonic() < deadline, f"Label Studio does not answer: see {log.name}"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """End it; its data stays."""
        end(self._process)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def call(self, method: str, path: str, body: Any = None, token: str = "", **query: Any) -> Any:
        """What the API answers to the test itself, or to who has a legacy token."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else ""),
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Token {token or self.token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()[:2000]}") from None
        return json.loads(content) if content else None

    def create_project(self, config: str, title: str = "Test project") -> int:
        """A new project with a labeling configuration; its number."""
        made = self.call("POST", "projects/", {"title": title, "label_config": config})
        return int(made["id"])

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """Every task of a project with its predictions and annotations."""
        found: list[dict[str, Any]] = []
        page = 0
        while True:
            page += 1
            answer = self.call(
                *("GET", "tasks"), project=project, fields="all", resolve_uri="false",
                page=page, page_size=1000,
            )  # fmt: skip
            found += answer["tasks"]
            if len(found) >= answer["total"]:
                return found

    def annotate(self, task: int, result: list[Any], **more: Any) -> dict[str, Any]:
        """Submit an annotation as the editor does."""
        made: dict[str, Any] = self.call(
            "POST", f"tasks/{task}/annotations/", {"result": result, "lead_time": 5.5} | more
        )
        return made

    def personal_token(self) -> str:
        """A personal access token of the user; there is at most one, so it is made only once."""
        session = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(jar := http.cookiejar.CookieJar())
        )
        session.open(f"{self.url}/user/login/").close()
        form = {"email": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": _csrf(jar)}
        session.open(f"{self.url}/user/login/", urllib.parse.urlencode(form).encode()).close()
        request = urllib.request.Request(
            f"{self.url}/api/token/",
            b"{}",
            {"X-CSRFToken": _csrf(jar), "Content-Type": "application/json"},
        )
        with session.open(request) as answer:
            return str(json.load(answer)["token"])

    def another_person(self, email: str) -> str:
        """The legacy token of somebody who signs up by the organization's invitation."""
        session = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(jar := http.cookiejar.CookieJar())
        )
        invitation = f"{self.url}{self.call('GET', 'invite')['invite_url']}"
        session.open(invitation).close()
        form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": _csrf(jar)}
        session.open(invitation, urllib.parse.urlencode(form).encode()).close()
        with session.open(f"{self.url}/api/current-user/token") as answer:
            return str(json.load(answer)["token"])

    def use_legacy_tokens(self, *, allowed: bool) -> None:
        """Set whether the organization takes legacy tokens; without, this client has none."""
        self.call(
            *("POST", "jwt/settings"),
            {"api_tokens_enabled": True, "legacy_api_tokens_enabled": allowed},
        )


def _csrf(jar: http.cookiejar.CookieJar) -> str:
    return next(str(cookie.value) for cookie in jar if cookie.name == "csrftoken")


def _environment(data: Path) -> dict[str, str]:
    return clean_environment() | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": EMAIL,
        "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": LEGACY_TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "fflag_feat_utc_210_prediction_validation_15082025": "true",
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }


def s3_access(endpoint: str) -> dict[str, str]:
    """The environment of a server that reads the buckets of an emulator by itself."""
    return {
        "LABEL_STUDIO_S3_ENDPOINT": endpoint,
        "SSRF_PROTECTION_ENABLED": "false",  # or it takes no storage on this machine
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def from_seed(folder: Path, **more: str) -> LabelStudio:
    """A server over a copy of the migrated data directory: ready in seconds."""
    shutil.copytree(SEED, folder)
    return LabelStudio(folder, more)


def main() -> None:
    """Make the data directory that servers of the tests begin with."""
    seed = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        server = LabelStudio(Path(folder) / "data")
        server.folder.mkdir()
        server.start(seconds=300)
        server.stop()
        shutil.rmtree(seed, ignore_errors=True)
        shutil.copytree(server.folder, seed)


if __name__ == "__main__":
    main()
