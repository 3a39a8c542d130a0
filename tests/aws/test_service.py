"""The calls of any AWS service, made of an emulator that nobody here wrote."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from pipeline.aws.service import Service, iam_action
from pipeline.aws.session import connect
from pipeline.config.schema import Aws
from pipeline.errors import BadSettings, ResourceMissing, ResourceTaken, ServiceUnreachable
from pipeline.net.wait_times import WaitTimes
from tests.conftest import endpoint
from tests.support.between import Answer as Reply
from tests.support.between import between

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("ministack")]


@pytest.fixture
async def services(ministack, monkeypatch):
    """A function that opens a service of the emulator by its name."""
    for name, value in endpoint(ministack).items():
        monkeypatch.setenv(name, value)
    waiting = WaitTimes()
    async with connect(Aws(), 4) as session:
        yield lambda name: Service(session, name, waiting)


async def test_a_call_is_answered(services):
    """An operation of any service is called by the name that its API has for it."""
    answer = await services("sts").call("GetCallerIdentity")

    assert answer["Account"] == "000000000000"


async def test_what_is_not_there_and_what_is_taken_are_told_apart(services):
    """The same role is missing before it is made, and taken after."""
    iam, role = services("iam"), f"role-{uuid.uuid4().hex}"
    made = {"RoleName": role, "AssumeRolePolicyDocument": '{"Version": "2012-10-17"}'}

    with pytest.raises(ResourceMissing, match="iam:GetRole"):
        await iam.call("GetRole", RoleName=role)
    await iam.call("CreateRole", **made)
    with pytest.raises(ResourceTaken, match=role):
        await iam.call("CreateRole", **made)

    assert {each.name: each.calls for each in iam.operations} == {"GetRole": 1, "CreateRole": 2}


async def test_a_queue_that_is_not_there_is_missing(services):
    """Services spell it differently; SQS has a code of its own for it."""
    with pytest.raises(ResourceMissing, match="sqs:GetQueueUrl"):
        await services("sqs").call("GetQueueUrl", QueueName="nobody-made-it")


async def test_a_limit_of_the_account_is_not_asked_for_again(services):
    """Six versions are too many for ever, so the sixth call is one call and a sentence."""
    iam = services("iam")
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    made = await iam.call(
        "CreatePolicy", PolicyName=f"policy-{uuid.uuid4().hex}", PolicyDocument=document
    )
    version = {"PolicyArn": made["Policy"]["Arn"], "PolicyDocument": document}
    for _ in range(4):
        await iam.call("CreatePolicyVersion", **version)

    with pytest.raises(BadSettings, match="at most 5 versions"):
        await iam.call("CreatePolicyVersion", **version)

    assert {each.name: each.calls for each in iam.operations}["CreatePolicyVersion"] == 5


async def test_a_renewal_gives_every_service_a_new_client(services):
    """A client that was opened before would go on signing with the old token."""
    session = services("iam")._session
    before = [await session.client("iam"), await session.client("s3")]
    again = await session.client("iam")
    await session.renew(time.monotonic())
    after = [await session.client("iam"), await session.client("s3")]

    assert again is before[0]
    assert session.s3 is after[1]
    assert not set(map(id, before)) & set(map(id, after))


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("iam", "GetRole", "iam:GetRole"),
        ("service-quotas", "GetServiceQuota", "servicequotas:GetServiceQuota"),
        ("s3", "PutBucketCors", "s3:PutBucketCORS"),
    ],
)
def test_an_operation_is_named_as_policies_spell_it(service, operation, action):
    """Who is refused reads the action that has to be allowed."""
    assert iam_action(service, operation) == action


@pytest.mark.parametrize(
    ("service", "operation", "body", "member"),
    [
        ("sts", "GetCallerIdentity", b"<r><GetCallerIdentityResult/></r>", "Arn"),
        ("kms", "GenerateRandom", b"{}", "Plaintext"),
    ],
)
async def test_an_answer_without_what_every_answer_has_is_not_the_service_s(
    service, operation, body, member, no_proxies
):
    """Whoever answers in the service's place is told as that, and is no error of ours."""
    with between(None, lambda _: Reply(200, body, {})) as url:
        async with connect(Aws(region="us-east-1", endpoint_url=url), 1, ("a", "b")) as session:
            answer = await Service(session, service, WaitTimes()).call(operation)

    with pytest.raises(ServiceUnreachable, match=f"{service}:{operation} is not .* no {member}"):
        answer[member]
    assert answer.get(member) is None
