"""What `deploy/` holds is valid, and does what the program's own commands would do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from pipeline.config.loading import resolve
from pipeline.config.schema import SETTINGS
from pipeline.config.shards import Shard
from tests.conftest import COMMAND, ROOT, clean_environment

pytestmark = pytest.mark.deploy

DEPLOY = ROOT / "deploy"
CRON_JOB = DEPLOY / "kubernetes" / "cronjob.yaml"
ARRAY = DEPLOY / "kubernetes" / "array.yaml"
RAY = DEPLOY / "ray" / "submit.sh"
SLURM = DEPLOY / "slurm" / "array.sbatch"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
NIGHTLY = DEPLOY / "docker" / "nightly"
SERVICE = DEPLOY / "systemd" / "transcribe-pipeline.service"
TIMER = DEPLOY / "systemd" / "transcribe-pipeline.timer"
BIN = Path(sys.executable).parent
OLDEST, NEWEST = "1.30", "1.37"  # versions of Kubernetes


def checked(*command: str | Path) -> str:
    """What a tool says of a file; nothing where it is content."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr + f"exit {done.returncode}"


# The image


def test_the_dockerfile_is_by_the_rules():
    """The linter has nothing to say, warnings and matters of style included."""
    assert checked(BIN / "hadolint", DOCKERFILE) == ""


def test_the_image_is_pinned_and_not_root():
    """Each stage names its base by digest, packages come by the tests' own versions, no root."""
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]

    assert len(set(bases)) == 1
    assert all(len(base.partition("@sha256:")[2]) == 64 for base in bases)
    assert [line for line in lines if line.startswith("USER ")][-1] == "USER 10001:10001"
    text = " ".join(line.strip(" \\&") for line in lines)
    assert text.count("pip install") == text.count("--constraint constraints.txt")


def test_the_build_sees_what_it_copies_and_nothing_else():
    """The context holds every path that is copied, and neither history, state nor credentials."""
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        path.removeprefix("./")
        for line in DOCKERFILE.read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for path in line.split()[1:-1]
        if not path.startswith("--")
    }

    assert copied == allowed
    assert all((ROOT / path).exists() for path in copied)
    assert "*" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


# The night in a container


@dataclass
class Night:
    """The script, with what it called."""

    folder: Path

    def __call__(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start it."""
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.Popen(
            [NIGHTLY, *arguments], env=clean_environment(PATH=path, **environment),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def calls(self) -> list[str]:
        """The words of every call, in their order."""
        return (self.folder / "called").read_text().splitlines()


@pytest.fixture
def night(tmp_path):
    """Runs `nightly` with a stand-in for the command that ends as the environment says."""
    fake = tmp_path / "transcribe-pipeline"
    fake.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> "{tmp_path}/called"\n'
        'case $1 in push) exit "${PUSH:-0}";; report) exit 2;; esac\n'
        '[ -z "${SLOW:-}" ] || { trap "exit 143" TERM; echo ready; while :; do sleep 0.1; done; }\n'
        'exit "${RUN:-0}"\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)

    return Night(tmp_path)


@pytest.mark.parametrize(
    ("code", "ends_with"), [(0, 0), (1, 0), (3, 0), (2, 2), (143, 143), (137, 137)]
)
def test_a_night_that_did_its_work_is_a_success(night, code, ends_with):
    """Some failed recordings or a spent budget are no failed night; what can't run is."""
    process = night("s3://calls/", "--limit", "9", RUN=str(code))
    process.communicate(timeout=10)

    assert process.returncode == ends_with
    did_its_work = ["report"] * (ends_with == 0)
    assert night.calls() == ["run s3://calls/ --limit 9 --quiet --json", *did_its_work]


@pytest.mark.parametrize(
    ("named", "code", "ends_with"),
    [("3", 3, 3), ("3", 1, 0), ("1 3", 1, 1), ("1 3", 0, 0), ("1 3", 2, 2), ("13", 3, 0)],
)
def test_a_night_ends_with_the_runs_own_code_where_it_is_named(night, named, code, ends_with):
    """What is behind the run is done all the same; a night that can't run ends as ever."""
    asked = {"NIGHTLY_EXIT_CODES": named, "LABEL_STUDIO_URL": "https://labels.example.com"}
    process = night("s3://calls/", RUN=str(code), PUSH="1", **asked)
    process.communicate(timeout=10)

    assert process.returncode == ends_with
    assert len(night.calls()) == (1 if code == 2 else 3)


@pytest.mark.parametrize(
    ("run", "push", "ends_with", "pushes"),
    [(0, 0, 0, 1), (1, 1, 0, 1), (3, 2, 2, 1), (2, 0, 2, 0), (143, 0, 143, 0)],
)
def test_the_tasks_are_pushed_behind_a_run_that_worked(night, run, push, ends_with, pushes):
    """Where there is a Label Studio; one that can't be reached is a failed night too."""
    url = "https://labels.example.com"
    process = night("s3://calls/", RUN=str(run), PUSH=str(push), LABEL_STUDIO_URL=url)
    process.communicate(timeout=10)

    assert process.returncode == ends_with
    assert night.calls()[1:] == ["report", "push --quiet --json"] * pushes


def test_a_night_that_is_stopped_stops_its_run(night):
    """SIGTERM reaches the run, whose own exit code is the night's; nothing is pushed."""
    process = night("s3://calls/", SLOW="1", LABEL_STUDIO_URL="https://labels.example.com")
    assert process.stdout.readline() == "ready\n"

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)

    assert process.returncode == 143
    assert len(night.calls()) == 1


def test_a_night_against_the_local_cloud(run, cloud):
    """The script and the command together: tasks are written, and a stopped night goes on."""
    service = cloud("--seconds", "0.5")
    service.add(one="first", bad="!Unsupported media format", slow="@30 third")
    run.use(PATH=f"{BIN}:{os.environ['PATH']}")
    process = subprocess.Popen(
        [NIGHTLY, "s3://audio/"], cwd=run.folder, env=run.env, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while (
        run("status", "--json").code or run("status", "--json").summary["recordings"]["written"] < 1
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 143
    assert json.loads(out)["stopped"] == "interrupted"
    assert len(run.tasks()) == 1


# systemd


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_the_units_are_valid(tmp_path):
    """Nothing is found to complain of, and little that the service could do to the machine."""
    installed = "/opt/transcribe-pipeline/bin/transcribe-pipeline"
    for unit in (SERVICE, TIMER):
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace(installed, COMMAND), encoding="utf-8")
    units = [tmp_path / unit.name for unit in (SERVICE, TIMER)]
    security = ("security", "--offline=true", "--threshold=20", units[0])

    assert checked("systemd-analyze", "verify", *units) == ""
    assert checked("systemd-analyze", *security) == ""


def test_a_night_with_failed_recordings_is_no_failed_unit():
    """The exit codes of a run that did its work are successes, and nothing restarts in a loop."""
    lines = SERVICE.read_text(encoding="utf-8").splitlines()

    assert "SuccessExitStatus=1 3 143" in lines
    assert "Restart=no" in lines
    assert installed_command(lines) == ["run", "${SOURCE}", "--quiet", "--json"]


def installed_command(lines):
    """The words of ExecStart behind the program."""
    [line] = [line for line in lines if line.startswith("ExecStart=")]
    return [word for word in line.split()[1:] if "/" not in word]


# Kubernetes


@pytest.mark.parametrize("version", [OLDEST, NEWEST, pytest.param("1.33", marks=pytest.mark.long)])
@pytest.mark.parametrize("file", [CRON_JOB, ARRAY])
def test_the_jobs_are_valid(file, version):
    """Every object is what the schemas of that version allow, without unknown fields."""
    tool = BIN / "kubernetes-validate"

    assert checked(tool, "--strict", "--quiet", "--no-warn", "-k", version, file) == ""


def test_each_pod_of_the_array_is_one_shard():
    """As many pods as shards, and each knows its number by the variable that Kubernetes sets."""
    job = yaml.safe_load(ARRAY.read_text("utf-8"))["spec"]
    [container] = job["template"]["spec"]["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}

    shards = [
        resolve({}, variables | {"JOB_COMPLETION_INDEX": str(n)}).shard
        for n in range(job["completions"])
    ]

    assert shards == [Shard(n, job["completions"]) for n in range(job["completions"])]
    assert job["parallelism"] == job["completions"] == job["maxFailedIndexes"]
    fails = [each for each in job["podFailurePolicy"]["rules"] if each["action"] == "FailIndex"]
    assert [each["onExitCodes"]["values"] for each in fails] == [[2]]  # the others go on
    assert job["backoffLimitPerIndex"] == 3


def test_each_task_of_the_slurm_array_does_its_shard(run, cloud, tmp_path):
    """The script itself, once for each number: together they have written every recording once."""
    service = cloud()
    for n in range(8):
        service.put(f"calls/{n}.mp3", f"number {n}")
    script = tmp_path / "array.sbatch"
    script.write_text(SLURM.read_text("utf-8").replace("//my-bucket/", "//audio/"))

    for number in ("0", "1", "2", "3"):
        task = {"SLURM_ARRAY_TASK_ID": number, "SLURM_ARRAY_TASK_COUNT": "1"}
        disk = tmp_path / number
        disk.mkdir()
        env = run.env | task | {"SLURM_ARRAY_TASK_MIN": number, "TMPDIR": str(disk)}
        subprocess.run(["sh", script], env=env | {"AWS_REGION": ""}, check=True, timeout=60)

    parts = (tmp_path / "audio" / "tasks" / "parts").rglob("*.jsonl")
    lines = [line for part in parts for line in part.read_bytes().splitlines()]
    assert len(lines) == 8
    assert len({json.loads(line)["data"]["audio"] for line in lines}) == 8


@pytest.mark.parametrize(("code", "of_the_job"), [(0, 0), (1, 0), (3, 0), (2, 2), (143, 143)])
def test_the_ray_job_fails_only_where_the_command_can_not_go_on(tmp_path, code, of_the_job):
    """Ray knows two ends: what the script submits turns the codes of a run into them."""
    for name, does in (
        ("ray", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'),
        ("transcribe-pipeline", f'echo "$@"; exit {code}'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    job = subprocess.run(["sh", RAY], env=env, capture_output=True, text=True, check=False)

    command, source, *words = job.stdout.split()
    flags = {f"TRANSCRIBE_PIPELINE_{name[2:].upper()}": value for name, value in pairwise(words)}
    chosen = resolve(
        {}, {name: each for name, each in flags.items() if name[20:].lower() in SETTINGS}
    )
    assert job.returncode == of_the_job
    assert (command, source) == ("run", "s3://my-bucket/calls/")
    assert (chosen.cluster.engine, chosen.shard.count) == ("ray", 4)


def objects_of_the_cron_job():
    """What the file holds, by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all(CRON_JOB.read_text("utf-8"))}


def container_of(cron_job):
    """The one container of a night's pod."""
    [container] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return container


def test_the_liveness_probe_ends_only_a_run_that_hangs(run, cloud, tmp_path):
    """It passes before a run, during one and after it; not when the heartbeat stands still."""
    probe = container_of(objects_of_the_cron_job()["CronJob"])["livenessProbe"]["exec"]["command"]
    heartbeat = tmp_path / "heartbeat"
    probe = [word.replace("/tmp/heartbeat", str(heartbeat)) for word in probe]
    run.use(TRANSCRIBE_PIPELINE_HEARTBEAT_FILE=str(heartbeat))
    cloud().add(one="@2 first")

    codes = [subprocess.run(probe, check=False).returncode]
    with run.start("run", "s3://audio/") as process:
        while not heartbeat.exists():
            time.sleep(0.05)
        codes.append(subprocess.run(probe, check=False).returncode)
        still = heartbeat.read_text()
        process.communicate()
    codes.append(subprocess.run(probe, check=False).returncode)
    heartbeat.write_text(still)
    os.utime(heartbeat, (0, 0))
    codes.append(subprocess.run(probe, check=False).returncode)

    assert codes == [0, 0, 0, 1]


def test_the_cron_jobs_settings_are_the_programs_own(tmp_path):
    """The settings file of the ConfigMap loads, and the heartbeat is a setting."""
    objects = objects_of_the_cron_job()
    container = container_of(objects["CronJob"])
    pod = objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    names = [each["name"].removeprefix("TRANSCRIBE_PIPELINE_").lower() for each in container["env"]]
    [mounted] = [f"{each['mountPath']}/nightly.toml" for each in container["volumeMounts"]
                 if each["name"] == "settings"]  # fmt: skip
    path = tmp_path / "nightly.toml"
    path.write_text(objects["ConfigMap"]["data"]["nightly.toml"], encoding="utf-8")
    config = resolve({}, {}, path)

    assert config.output.results == "s3://my-bucket/transcripts/"
    assert set(names) - {"config"} <= set(SETTINGS)
    assert {"name": "TRANSCRIBE_PIPELINE_CONFIG", "value": mounted} in container["env"]
    assert objects["CronJob"]["spec"]["concurrencyPolicy"] == "Forbid"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
