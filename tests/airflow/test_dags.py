"""The DAGs of `deploy/airflow`: a real Airflow loads them, and exit codes become its states.

Batch and Kubernetes are servers of this test, which answer what the two say of a run that has
ended; the operators' own code does the rest.
"""

from __future__ import annotations

import json
import subprocess
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.config.loading import resolve
from pipeline.config.shards import Shard
from tests.conftest import ROOT, clean_environment
from tests.support.between import Answer, Asked, between

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

PYTHON = ROOT / ".venv-airflow" / "bin" / "python"
INSIDE = ROOT / "tests" / "airflow" / "inside.py"
DAGS = ROOT / "deploy" / "airflow"


@pytest.fixture
def airflow(tmp_path) -> Callable[..., Any]:
    """Asks Airflow about the DAGs; the words are those of `inside.py`."""

    def ask(*words: str, **environment: str) -> Any:
        env = clean_environment(AIRFLOW_HOME=str(tmp_path / "airflow"), **environment)
        done = subprocess.run(
            [PYTHON, INSIDE, DAGS, *words], env=env, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return ask


def test_the_dags_load_and_hold_what_they_promise(airflow):
    """No import error; one night at a time, none made up for; each run is one shard of all."""
    found = airflow()

    assert found["import_errors"] == {}
    batch, kubernetes = (found["tasks"][f"transcribe_on_{on}"] for on in ("batch", "kubernetes"))
    assert "BatchOperator" in batch["operators"]
    assert kubernetes["operators"][0] == "KubernetesPodOperator"
    assert {(each["at_once"], each["catchup"]) for each in (batch, kubernetes)} == {(1, False)}
    assert batch["runs"] == {"size": 4}
    assert [resolve({}, each).shard for each in kubernetes["runs"]] == [
        Shard(n, 4) for n in range(4)
    ]


def batch_that_ends(
    codes: list[int | None], *, status: str = "FAILED", silent: bool = False
) -> Callable[[Asked], Answer]:
    """AWS Batch after an array whose children have ended with these codes; None without one.

    A `silent` one answers the second time that it is asked for the array as if there was none.
    """
    asked_for_it = count()
    failed = [code for code in codes if code != 0]
    runs = [
        {
            "jobId": f"a:{n}",
            "jobName": "night",
            "container": {} if code is None else {"exitCode": code},
        }
        for n, code in enumerate(failed)
    ]
    job = {
        "jobId": "a", "jobName": "night", "status": status if failed else "SUCCEEDED",
        "jobQueue": "q", "jobDefinition": "d", "startedAt": 1,
    }  # fmt: skip

    def reply(asked: Asked) -> Answer:
        missing = asked.path == "/v1/describejobs" and next(asked_for_it) == 1 and silent
        said = {
            "/v1/submitjob": {"jobId": "a", "jobName": "night"},
            "/v1/describejobs": {"jobs": [] if missing else [job]},
            "/v1/listjobs": {"jobSummaryList": runs},
        }
        return Answer(200, json.dumps(said[asked.path]).encode(), {})

    return reply


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        ([0, 0], "success"),
        ([0, 3], "skipped"),
        ([3, 2], "failed: AirflowException"),
        ([3, None], "failed: AirflowException"),
    ],
)
def test_an_array_with_work_left_is_skipped(airflow, codes, state):
    """Every child that failed ended with 3; beside one that can't run, or was lost, it failed."""
    with between(None, batch_that_ends(codes)) as url:
        assert airflow("transcribe_on_batch", **account(url)) == state


def test_an_array_that_can_not_be_watched_has_failed(airflow):
    """Though all that has ended of it ended with work left: the others may run on, or fail."""
    with between(None, batch_that_ends([3], status="RUNNING", silent=True)) as url:
        assert airflow("transcribe_on_batch", **account(url)) == "failed: AirflowException"


def account(url: str) -> dict[str, str]:
    """An AWS account at this address, as a connection of Airflow."""
    return {
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws"}),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


class Cluster:
    """Kubernetes with one pod, which has ended when it is looked at."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.pod: dict[str, Any] = {}

    def reply(self, asked: Asked) -> Answer:
        """What the API server answers."""
        path = asked.path.partition("?")[0]
        if asked.method == "POST":
            self.pod = json.loads(asked.body)
            self.pod["metadata"] |= {"uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
            self.pod["status"] = self.status()
        if path.endswith("/log"):
            return Answer(200, b"a run\n", {"Content-Type": "text/plain"})
        listed = path.endswith(("/pods", "/events")) and asked.method == "GET"
        said = {"kind": "List", "items": [], "metadata": {}} if listed else self.pod
        return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def status(self) -> dict[str, Any]:
        """Of a pod whose container has ended."""
        moments = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z"}
        terminated = {"exitCode": self.code, "reason": "Error", **moments}
        base = {
            "name": "base", "image": "i", "imageID": "i", "ready": False, "restartCount": 0,
            "state": {"terminated": terminated},
        }  # fmt: skip
        phase = "Failed" if self.code else "Succeeded"
        return {"phase": phase, "containerStatuses": [base], "startTime": moments["startedAt"]}


def kube_config(url: str, folder: Path) -> dict[str, str]:
    """A connection of Airflow to the cluster at this address."""
    path = folder / "kube-config"
    named = {"cluster": "c", "user": "u"}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "c", "context": named}],
            }
        )
    )  # fmt: skip
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(path)}}
    return {"AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(connection)}


@pytest.mark.parametrize(
    ("code", "state"), [(0, "success"), (3, "skipped"), (2, "failed: AirflowException")]
)
def test_a_pod_with_work_left_is_skipped(airflow, tmp_path, code, state):
    """The pod is the image's `nightly` as one shard, which passes 3 on and nothing else."""
    cluster = Cluster(code)

    with between(None, cluster.reply) as url:
        assert airflow("transcribe_on_kubernetes", "1", **kube_config(url, tmp_path)) == state

    [container] = cluster.pod["spec"]["containers"]
    variables = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert container["command"] == ["nightly"]
    assert resolve({}, variables).shard == Shard(1, 4)
    assert variables["NIGHTLY_EXIT_CODES"] == "3"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
