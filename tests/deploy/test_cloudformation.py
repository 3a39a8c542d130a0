"""The CloudFormation template: valid, deployable, and what the program's own commands would make.

MiniStack's CloudFormation knows every resource type of it but AWS::Batch::*, so these three are
taken out of the deployed template and checked against the API of MiniStack's Batch instead.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.config.schema import SETTINGS
from pipeline.iam.diff import canonical
from tests.conftest import ROOT, clean_environment, endpoint

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("ministack"),
]

TEMPLATE = ROOT / "deploy" / "cloudformation" / "nightly.yaml"
NIGHTLY = ROOT / "deploy" / "docker" / "nightly"
BIN = Path(sys.executable).parent
BATCH = ("Compute", "Queue", "Night")
ACCOUNT = "000000000000"


def test_the_template_is_valid():
    """The linter finds nothing, warnings and information included."""
    done = subprocess.run(
        [BIN / "cfn-lint", "--include-checks", "I", "--", TEMPLATE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.stdout, done.returncode) == ("", 0)


def template() -> dict[str, Any]:
    """The template as plain JSON, with functions spelt out."""
    from cfnlint.decode import cfn_yaml  # half a second, for the one process that needs it

    loaded: dict[str, Any] = json.loads(json.dumps(cfn_yaml.load(str(TEMPLATE))))
    return loaded


def without_batch() -> str:
    """The template as MiniStack can deploy it: ARNs stand for what its engine does not know."""
    whole = template()
    text = json.dumps(whole | {"Resources": {
        name: each for name, each in whole["Resources"].items() if name not in BATCH
    }})  # fmt: skip
    for name in BATCH:
        arn = f"arn:aws:batch:us-east-1:{ACCOUNT}:{name}"
        text = text.replace(json.dumps({"Ref": name}), json.dumps(arn))
        text = text.replace(f"${{{name}}}", arn)
    return text


@pytest.fixture
def aws(ministack):
    """Clients of the emulator, by service."""
    return lambda service: boto3.client(
        service, "us-east-1", endpoint_url=ministack,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


@pytest.fixture
def deployed(aws, request):
    """Deploys the template with these parameters; the stack's outputs and physical ids."""
    name = f"nights-{uuid.uuid4().hex[:8]}"
    cloudformation, ec2 = aws("cloudformation"), aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{z}")
        for n, z in enumerate("ab")
    ]
    always = {
        "Vpc": vpc,
        "Subnets": ",".join(each["Subnet"]["SubnetId"] for each in subnets),
        "Image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/transcribe-pipeline:0.1.0",
    }

    def deploy(body: str = "", **parameters: str) -> tuple[dict[str, str], dict[str, str]]:
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=body or without_batch(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in (always | parameters).items()
            ],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return (
            {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]},
            {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources},
        )

    yield deploy
    cloudformation.delete_stack(StackName=name)


def test_the_stack_deploys_and_a_night_runs_on_it(deployed, aws, ministack, run):
    """From an empty account to tasks: with what the stack made and the job's own settings."""
    outputs, _ = deployed(RecordingsPrefix="calls/", JobPrefix="nightly")
    bucket = outputs["RecordingsUri"].split("/")[2]
    aws("s3").put_object(Bucket=bucket, Key="calls/a.mp3", Body=b"x")
    aws("s3").put_object(Bucket=bucket, Key="other/b.mp3", Body=b"x")
    settings = by_default() | {
        "TRANSCRIBE_PIPELINE_RESULTS": outputs["ResultsUri"],
        "TRANSCRIBE_PIPELINE_EVENTS": outputs["EventsUrl"],
        "TRANSCRIBE_PIPELINE_JOB_PREFIX": "nightly",
    }

    settings |= endpoint(ministack) | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    night = subprocess.run(
        [NIGHTLY, outputs["RecordingsUri"]], cwd=run.folder, env=clean_environment(**settings),
        text=True, capture_output=True, check=False,
    )  # fmt: skip

    assert night.returncode == 0, night.stderr
    summary = json.loads(night.stdout)
    assert (summary["exit_code"], summary["counts"]["written"]) == (0, 1)
    assert summary["calls"]["ReceiveMessage"] >= 1
    assert len(by_default()) == 5
    assert (run.folder / "tasks.report.html").exists()
    assert list(run.texts()) == [f"s3://{bucket}/calls/a.mp3"]
    written = aws("s3").list_objects_v2(Bucket=outputs["ResultsUri"].split("/")[2])["Contents"]
    assert any(each["Key"].startswith("transcripts/nightly-") for each in written)


def by_default() -> dict[str, str]:
    """The variables of the job that are parameters, as they are where nobody says otherwise."""
    whole = template()
    container = whole["Resources"]["Night"]["Properties"]["ContainerProperties"]
    named = {
        each["Name"]: each["Value"]["Ref"]
        for each in container["Environment"]
        if "Ref" in each.get("Value", {})
    }
    parameters = whole["Parameters"]
    return {
        variable: str(parameters[name]["Default"])
        for variable, name in named.items()
        if "Default" in parameters.get(name, {})
    }


def test_a_failed_night_is_told(deployed, aws):
    """The word about a failed job of the queue reaches who subscribed, and no other word does."""
    # Nobody but AWS itself may send events of a source that begins with "aws.".
    _, ids = deployed(without_batch().replace('"aws.batch"', '"test.batch"'))
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName=f"told-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    [arn] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])[
        "Attributes"
    ].values()
    aws("sns").subscribe(TopicArn=ids["Word"], Protocol="sqs", Endpoint=arn)
    queue = f"arn:aws:batch:us-east-1:{ACCOUNT}:Queue"
    nights = [
        ("one", "SUCCEEDED", queue),
        ("two", "FAILED", f"{queue}s"),
        ("three", "FAILED", queue),
    ]

    aws("events").put_events(
        Entries=[
            {
                "Source": "test.batch",
                "DetailType": "Batch Job State Change",
                "Detail": json.dumps(
                    {"jobId": job, "status": status, "jobQueue": of, "statusReason": "exit 2"}
                ),
            }
            for job, status, of in nights
        ]
    )

    told = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
    [word] = [each["Body"] for each in told["Messages"]]
    assert "The night three of " in word
    assert "failed: exit 2." in word


def test_the_state_is_on_a_file_system_of_the_images_user(deployed, aws):
    """Encrypted, backed up, kept when the stack goes, in the hands of the image user alone."""
    _, ids = deployed()

    [system] = aws("efs").describe_file_systems(FileSystemId=ids["State"])["FileSystems"]
    [access] = aws("efs").describe_access_points(AccessPointId=ids["StateAccess"])["AccessPoints"]
    targets = aws("efs").describe_mount_targets(FileSystemId=ids["State"])["MountTargets"]
    assert system["Encrypted"] is True
    assert access["FileSystemId"] == ids["State"]
    assert access["PosixUser"] == {"Uid": 10001, "Gid": 10001}
    assert access["RootDirectory"]["CreationInfo"]["Permissions"] == "0700"
    assert len({each["SubnetId"] for each in targets}) == 2
    kept = {name for name, each in template()["Resources"].items()
            if each.get("DeletionPolicy") == "Retain"}  # fmt: skip
    assert kept == {"Recordings", "Results", "State", "Log"}


def chosen(value: Any, size: int) -> Any:
    """What is left of a part of the template where so many runs share the source."""
    if isinstance(value, list):
        parts = [chosen(each, size) for each in value]
        return [each for each in parts if each != {"Ref": "AWS::NoValue"}]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        holds = {"One": size == 1, "Array": size > 1}
        return chosen(yes if holds.get(condition, False) else no, size)
    named = {name: chosen(each, size) for name, each in value.items()}
    return {name: each for name, each in named.items() if each != {"Ref": "AWS::NoValue"}}


def as_api(value: Any) -> Any:
    """A resource's properties as the service's API spells them; functions become their names."""
    if isinstance(value, list):
        return [as_api(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (name := next(iter(value))).startswith(("Fn::", "Ref")):
        of = {"Subnets": ["subnet-1", "subnet-2"], "ArraySize": "4"}
        return of.get(str(value[name]), f"arn:aws:x:::{name}")
    return {
        name if "-" in name else name[0].lower() + name[1:]: as_api(each)
        for name, each in value.items()
    }


@pytest.mark.parametrize("size", [1, 4])
def test_the_batch_resources_are_what_batch_takes(aws, size):
    """Compute environment, queue, job and the schedule's call pass botocore's model and the API."""
    batch, suffix = aws("batch"), uuid.uuid4().hex[:8]
    resources = chosen(template()["Resources"], size)
    compute, queue, night = (as_api(resources[name]["Properties"]) for name in BATCH)
    del compute["replaceComputeEnvironment"]  # CloudFormation's own
    most = compute["computeResources"]
    most["maxvCpus"] = size if most["maxvCpus"] == "4" else 0

    made = batch.create_compute_environment(computeEnvironmentName=f"c-{suffix}", **compute)
    [order] = queue["computeEnvironmentOrder"]
    order["computeEnvironment"] = made["computeEnvironmentArn"]
    queues = batch.create_job_queue(jobQueueName=f"q-{suffix}", **queue)
    definition = batch.register_job_definition(jobDefinitionName=f"n-{suffix}", **night)
    begin = resources["Begin"]["Properties"]["Target"]["Input"]["Fn::Sub"]
    begin = begin.replace("${Queue}", queues["jobQueueArn"]).replace("${ArraySize}", str(size))
    begin = begin.replace("${Night}", definition["jobDefinitionArn"])
    asked = json.loads(begin, object_hook=lambda o: {k[0].lower() + k[1:]: v for k, v in o.items()})
    job = batch.submit_job(**asked)

    assert job["jobName"] == "night"
    assert asked.get("arrayProperties") == (None if size == 1 else {"size": 4})
    vcpus = [each["value"] for each in night["containerProperties"]["resourceRequirements"]]
    assert vcpus == ["1", "2048"]  # two nights at once don't fit in
    assert most["maxvCpus"] == size
    assert ("volumes" in night["containerProperties"]) == (size == 1)


def test_a_night_that_cannot_run_is_not_tried_again():
    """Exit code 2 is settings, rights or a full disk; whatever else ended it goes on."""
    strategy = template()["Resources"]["Night"]["Properties"]["RetryStrategy"]

    assert strategy["Attempts"] == 3
    assert strategy["EvaluateOnExit"] == [
        {"OnExitCode": "2", "Action": "EXIT"},
        {"OnReason": "*", "Action": "RETRY"},
    ]


def test_the_runs_of_an_array_share_the_source(deployed, aws, ministack, run):
    """Each child of the array writes its part to S3, with the rights that `iam policy` prints."""
    outputs, ids = deployed(RecordingsPrefix="calls/", ArraySize="2")
    bucket = outputs["RecordingsUri"].split("/")[2]
    for n in range(6):
        aws("s3").put_object(Bucket=bucket, Key=f"calls/{n}.mp3", Body=b"x")
    settings = by_default() | endpoint(ministack) | {
        "TRANSCRIBE_PIPELINE_RESULTS": outputs["ResultsUri"],
        "TRANSCRIBE_PIPELINE_OUTPUT": outputs["TasksUri"],
        "TRANSCRIBE_PIPELINE_SHARDS": "2",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }  # fmt: skip
    written = 0

    for n in range(2):
        child = settings | {"AWS_BATCH_JOB_ARRAY_INDEX": str(n)}
        night = subprocess.run(
            [NIGHTLY, outputs["RecordingsUri"]], cwd=run.folder, env=clean_environment(**child),
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert night.returncode == 0, night.stderr
        written += json.loads(night.stdout)["counts"]["written"]
    printed = run(
        *("iam", "policy", "--account", ACCOUNT, "--region", "us-east-1"),
        *("--bucket", outputs["RecordingsUri"], "--results", outputs["ResultsUri"]),
        *("--output", outputs["TasksUri"]),
    )

    found = aws("iam").get_role_policy(RoleName=ids["JobRole"], PolicyName="transcribe-pipeline")
    assert written == 6
    assert canonical(found["PolicyDocument"]) == canonical(json.loads(printed.out))
    assert aws("iam").list_role_policies(RoleName=ids["JobRole"])["PolicyNames"] == [
        "transcribe-pipeline"
    ]
    assert not {"State", "StateAccess", "Events", "Ended"} & set(ids)
    assert outputs["BeginNow"].endswith("Night --array-properties size=2")


def test_the_jobs_rights_are_what_iam_policy_prints(deployed, aws, run):
    """No right more and none less than the command says a run of these settings needs."""
    outputs, ids = deployed(
        RecordingsBucket="recordings", RecordingsPrefix="calls/", ResultsBucket="transcripts"
    )
    printed = run(
        *("iam", "policy", "--account", ACCOUNT, "--region", "us-east-1"),
        *("--bucket", outputs["RecordingsUri"], "--results", outputs["ResultsUri"]),
        *("--events-queue", outputs["EventsUrl"]),
    )

    found = aws("iam").get_role_policy(RoleName=ids["JobRole"], PolicyName="transcribe-pipeline")
    assert outputs["RecordingsUri"] == "s3://recordings/calls/"
    assert canonical(found["PolicyDocument"]) == canonical(json.loads(printed.out))
    policies = aws("iam").list_role_policies(RoleName=ids["JobRole"])["PolicyNames"]
    assert set(policies) == {"transcribe-pipeline", "state"}
    assert not aws("iam").list_attached_role_policies(RoleName=ids["JobRole"])["AttachedPolicies"]


@pytest.mark.parametrize("prefix", ["transcribe-pipeline", "calls_2026"])
def test_the_queue_and_rule_are_those_of_events_setup(deployed, ministack, run, prefix):
    """Run after the stack was made, the command finds nothing to do."""
    outputs, _ = deployed(JobPrefix=prefix)
    run.use(**endpoint(ministack), TRANSCRIBE_PIPELINE_JOB_PREFIX=prefix)

    outcome = run("events", "setup", "--yes")

    assert outcome.code == 0
    assert "Nothing to do" in outcome.err
    assert outcome.out.strip() == outputs["EventsUrl"]


def test_the_jobs_environment_is_the_programs_own_settings():
    """Each variable of the job is a setting, so that none is passed over at night."""
    container = template()["Resources"]["Night"]["Properties"]["ContainerProperties"]
    texts = re.findall(r'"Name": "([A-Z_]+)"', json.dumps(container["Environment"]))
    settings = {each.removeprefix("TRANSCRIBE_PIPELINE_").lower() for each in texts}

    assert settings - {"aws_region", "label_studio_url"} <= set(SETTINGS)
    assert len(texts) == 11
