"""The policies as values: what is in them, and what never is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadSettings
from pipeline.iam.diff import (
    Change,
    DesiredAccess,
    Kind,
    Part,
    as_text,
    canonical,
    differing,
    wanted,
)
from pipeline.iam.policies import (
    Owner,
    Scope,
    caller_policy,
    cors_rule,
    data_access_policy,
    reviewing_policy,
    trust_policy,
)
from pipeline.naming import S3Uri

OWNER = Owner("123456789012", "eu-central-1")
ROLE = "arn:aws:iam::123456789012:role/queue"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/12345678-aaaa-bbbb-cccc-123456789012"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:jobs"
CALLS = S3Uri("audio", "calls/")
PLAIN = Scope(OWNER, (CALLS,), S3Uri("audio", "transcripts"))
FULL = Scope(
    OWNER,
    (CALLS, S3Uri("other", "")),
    S3Uri("results", ""),
    role=ROLE,
    recordings_key=KEY,
    results_keys=(KEY,),
    manifests=(S3Uri("inventories", "audio/daily/"),),
    queue=QUEUE,
    vocabularies=("calls-*",),
    tags=True,
    object_tags=True,
    cleaning=True,
    cleaning_results=True,
    checking=True,
)

KNOW_NO_RESOURCE = {
    "transcribe:StartTranscriptionJob",
    "transcribe:ListTranscriptionJobs",
    "transcribe:CreateVocabulary",
    "servicequotas:ListServiceQuotas",
}
"""Of these the Service Authorization Reference has no resource that could be named."""

FAMILIES = {"kms:GenerateDataKey*", "kms:ReEncrypt*"}
"""What S3 needs of a key to write with it, as its documentation spells it."""


def actions(document: dict[str, Any]) -> set[str]:
    return {action for each in document["Statement"] for action in each["Action"]}


def resources(document: dict[str, Any], action: str) -> set[str]:
    statements = [each for each in document["Statement"] if action in each["Action"]]
    return {resource for each in statements for resource in each["Resource"]}


def test_a_plain_run_needs_six_actions():
    """Nothing is in the caller's policy that no flag asked for."""
    assert actions(caller_policy(PLAIN)) == {
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
        "transcribe:StartTranscriptionJob",
        "transcribe:ListTranscriptionJobs",
        "transcribe:GetTranscriptionJob",
    }


def test_check_deletes_its_own_object_alone():
    """Its trial below --results has one name, and no result may be deleted."""
    document = caller_policy(Scope(OWNER, (CALLS,), S3Uri("audio", "transcripts"), checking=True))

    assert resources(document, "s3:DeleteObject") == {
        "arn:aws:s3:::audio/transcripts/.transcribe-pipeline-check"
    }
    assert resources(document, "iam:SimulatePrincipalPolicy") == {
        "arn:aws:iam::123456789012:user/${aws:username}"
    }


def test_an_output_on_s3_is_written_and_never_deleted():
    """Parts never change: the caller may list, read and write them below --output alone."""
    document = caller_policy(Scope(OWNER, (CALLS,), PLAIN.results, S3Uri("tasks", "calls")))

    assert "arn:aws:s3:::tasks/calls/*" in resources(document, "s3:PutObject")
    assert "arn:aws:s3:::tasks/calls/*" in resources(document, "s3:GetObject")
    assert "arn:aws:s3:::tasks" in resources(document, "s3:ListBucket")
    assert "s3:DeleteObject" not in actions(document)


def test_transcripts_on_s3_are_written_and_read_there_alone():
    """Files that are there are compared, and those that are not are known to be none."""
    document = caller_policy(
        Scope(OWNER, (CALLS,), transcripts=S3Uri("texts", "calls"), checking=True)
    )

    for action in ("s3:PutObject", "s3:GetObject"):
        assert "arn:aws:s3:::texts/calls/*" in resources(document, action)
    assert "arn:aws:s3:::texts" in resources(document, "s3:ListBucket")
    assert resources(document, "s3:DeleteObject") == {
        "arn:aws:s3:::texts/calls/.transcribe-pipeline-check"
    }


def test_check_asks_about_the_user_and_the_role_alone():
    """Of others' rights nothing can be learned."""
    document = caller_policy(
        Scope(OWNER, (CALLS,), PLAIN.results, role=ROLE, checking=True, user="nightly")
    )

    assert resources(document, "iam:GetRole") == {ROLE}
    assert resources(document, "iam:SimulatePrincipalPolicy") == {
        "arn:aws:iam::123456789012:user/nightly",
        ROLE,
    }


def test_without_results_nothing_is_written():
    """Where the service keeps the transcripts, the caller writes to no bucket."""
    assert "s3:PutObject" not in actions(caller_policy(Scope(OWNER, (CALLS,))))


@pytest.mark.parametrize(
    ("option", "value", "more"),
    [
        ("role", ROLE, {"iam:PassRole"}),
        ("recordings_key", KEY, {"kms:Decrypt"}),
        (
            "results_keys",
            (KEY,),
            {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", *FAMILIES},
        ),
        ("output", S3Uri("audio", "tasks/"), set()),
        ("queue", QUEUE, {"sqs:ReceiveMessage", "sqs:DeleteMessage"}),
        (
            "vocabularies",
            ("calls",),
            {f"transcribe:{verb}Vocabulary" for verb in ("Create", "Get", "Update")},
        ),
        ("cleaning", True, {"transcribe:DeleteTranscriptionJob"}),
        ("cleaning_results", True, {"s3:DeleteObject"}),
        (
            "checking",
            True,
            {
                "servicequotas:ListServiceQuotas",
                "iam:SimulatePrincipalPolicy",
                "s3:DeleteObject",
            },
        ),
        ("tags", True, {"transcribe:TagResource"}),
        ("object_tags", True, {"s3:GetObjectTagging"}),
        ("manifests", (S3Uri("inventories", ""),), set()),
    ],
)
def test_each_option_adds_its_own_actions_alone(option, value, more):
    """What goes beyond a plain run is in the policy where it was asked for, and nothing else."""
    scope = Scope(OWNER, PLAIN.sources, PLAIN.results, **{option: value})

    assert actions(caller_policy(scope)) - actions(caller_policy(PLAIN)) == more


@pytest.mark.parametrize(
    "document", [caller_policy(FULL), data_access_policy(FULL), reviewing_policy(FULL)]
)
def test_no_action_and_no_resource_is_a_star_that_could_be_less(document):
    """No `s3:*`, no `transcribe:*`; `*` as a resource only where an action knows no other."""
    for statement in document["Statement"]:
        assert {each for each in statement["Action"] if "*" in each} <= FAMILIES
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= KNOW_NO_RESOURCE


def test_each_right_is_where_it_is_used():
    """Recordings are read, results read and written, jobs of this program looked at."""
    document = caller_policy(PLAIN)

    assert resources(document, "s3:PutObject") == {"arn:aws:s3:::audio/transcripts/*"}
    assert resources(document, "s3:GetObject") == {
        "arn:aws:s3:::audio/calls/*",
        "arn:aws:s3:::audio/transcripts/*",
    }
    assert resources(document, "transcribe:GetTranscriptionJob") == {
        "arn:aws:transcribe:eu-central-1:123456789012:transcription-job/transcribe-pipeline-*"
    }
    [listing] = [each for each in document["Statement"] if "s3:ListBucket" in each["Action"]]
    assert listing["Resource"] == ["arn:aws:s3:::audio"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["calls/*", "transcripts/*"]}}


def test_a_prefix_of_one_bucket_lists_nothing_of_another():
    """Each bucket has its own prefixes; a whole one beside them has no condition."""
    listing = [each for each in caller_policy(FULL)["Statement"] if "List" in each["Sid"]][:3]

    assert {tuple(each["Resource"]): each.get("Condition") for each in listing} == {
        ("arn:aws:s3:::other", "arn:aws:s3:::results"): None,
        ("arn:aws:s3:::audio",): {"StringLike": {"s3:prefix": ["calls/*"]}},
        ("arn:aws:s3:::inventories",): {"StringLike": {"s3:prefix": ["audio/daily/*"]}},
    }


def test_the_role_can_be_passed_to_transcribe_alone():
    """Whoever may pass a role could otherwise hand its rights to a service of theirs."""
    [statement] = [each for each in caller_policy(FULL)["Statement"] if each["Sid"] == "PassRole"]

    assert statement["Resource"] == [ROLE]
    assert statement["Condition"] == {
        "StringEquals": {"iam:PassedToService": "transcribe.amazonaws.com"}
    }


def test_the_role_is_for_jobs_of_this_account_and_region():
    """Another account's jobs can't have the service take the role on."""
    [statement] = trust_policy(OWNER)["Statement"]

    assert statement["Principal"] == {"Service": "transcribe.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:transcribe:eu-central-1:123456789012:*"},
    }


def test_label_studio_only_reads():
    """Its policy opens the buckets and reads the recordings, and no transcript and no job."""
    document = reviewing_policy(FULL)

    [opening] = [each for each in document["Statement"] if "s3:ListBucket" in each["Action"]]
    assert opening["Resource"] == ["arn:aws:s3:::audio", "arn:aws:s3:::other"]
    assert "Condition" not in opening  # HeadBucket names no prefix
    assert actions(document) == {"s3:ListBucket", "s3:GetObject", "kms:Decrypt"}
    assert resources(document, "s3:GetObject") == {
        "arn:aws:s3:::audio/calls/*",
        "arn:aws:s3:::other/*",
    }


@given(st.text(st.sampled_from("ab/*?$"), max_size=8))
def test_a_prefix_never_means_more_than_itself(prefix):
    """A star in a key is that star: read back as IAM does, the pattern's text is the prefix."""
    document = caller_policy(Scope(OWNER, (S3Uri("audio", prefix),)))
    [resource] = resources(document, "s3:GetObject")
    pattern = resource.removeprefix("arn:aws:s3:::audio/").removesuffix("*")
    for sign in "*?$":
        pattern = pattern.replace(f"${{{sign}}}", f"\0{ord(sign)}\0")

    assert not set(pattern) & set("*?$")
    for sign in "*?$":
        pattern = pattern.replace(f"\0{ord(sign)}\0", sign)
    assert pattern == prefix


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_each_partition_has_its_own_arns(region, partition):
    """In China and GovCloud every ARN begins differently."""
    document = caller_policy(Scope(Owner("123456789012", region), (CALLS,)))

    assert resources(document, "s3:ListBucket") == {f"arn:{partition}:s3:::audio"}


@pytest.mark.parametrize(
    ("kind", "named", "arn"),
    [
        ("role", "", ""),
        ("role", "queue", ROLE),
        ("role", ROLE, ROLE),
        ("key", "12345678-aaaa-bbbb-cccc-123456789012", KEY),
        ("key", KEY, KEY),
        ("queue", "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs", QUEUE),
        ("queue", "http://127.0.0.1:4566/123456789012/jobs", QUEUE),
        (
            "queue",
            "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs.fifo",
            "arn:aws:sqs:eu-west-1:210987654321:jobs.fifo",
        ),
    ],
)
def test_a_name_becomes_an_arn(kind, named, arn):
    """Roles, keys and queues may be named as people know them."""
    assert getattr(OWNER, kind)(named) == arn


@pytest.mark.parametrize(
    ("kind", "named", "said"),
    [
        ("role", "arn:aws:iam::210987654321:role/queue", "another account"),
        ("role", "a role", "no role"),
        ("role", "*", "no role"),
        ("key", "alias/calls", "alias"),
        ("key", "*", "no KMS key"),
        ("queue", "jobs", "no queue"),
        ("queue", "https://sqs.eu-central-1.amazonaws.com/jobs", "no queue"),
        ("queue", "https://example.com/123456789012/*", "no queue"),
    ],
)
def test_what_is_no_name_is_refused(kind, named, said):
    """No pattern and no alias gets into a policy where a thing is to be named."""
    with pytest.raises(BadSettings, match=said):
        getattr(OWNER, kind)(named)


@pytest.mark.parametrize("address", ["*", "labels.example.com", "http://*.example.com", "ftp://x"])
def test_cors_is_for_one_address(address):
    """A star would let every page in the world play what its visitors may hear."""
    with pytest.raises(BadSettings, match="no address"):
        cors_rule(address)


def test_cors_is_for_an_origin():
    """Browsers send the origin alone, so path and query of the address do not count."""
    rule = cors_rule("https://labels.example.com:8443/projects/1?tab=2")

    assert rule["AllowedOrigins"] == ["https://labels.example.com:8443"]
    assert rule["AllowedMethods"] == ["GET", "HEAD"]


# The plan


@given(st.randoms(use_true_random=False))
def test_order_and_spelling_are_no_difference(shuffle):
    """IAM gives documents back as they were sent, whoever sent them, and lists have no order."""
    document = caller_policy(FULL)
    same: dict[str, Any] = {"Statement": [], "Version": document["Version"]}
    for statement in document["Statement"]:
        other = {name: each for name, each in statement.items() if name != "Sid"}
        for name in ("Action", "Resource"):
            other[name] = shuffle.sample(other[name], len(other[name]))
            other[name] = other[name][0] if len(other[name]) == 1 else other[name]
        same["Statement"].append(other)
    shuffle.shuffle(same["Statement"])

    assert canonical(same) == canonical(document)


@given(st.data())
def test_a_right_more_or_less_is_a_difference(data):
    """Whatever is taken out of a policy or put into it is noticed."""
    document = caller_policy(FULL)
    index = data.draw(st.integers(0, len(document["Statement"]) - 1))
    statement = document["Statement"][index]
    name = data.draw(st.sampled_from(["Action", "Resource"]))
    if data.draw(st.booleans()):
        statement[name] = [*statement[name], "s3:*"]
    else:
        statement[name] = statement[name][1:]

    assert canonical(document) != canonical(caller_policy(FULL))


def test_parts_come_after_what_they_need():
    """A policy is made before it is attached, a user before its key."""
    desired = DesiredAccess(FULL, user="a", reviewer="b", cors="https://x.org", profiles={"a": "a"})
    places = {part: number for number, part in enumerate(wanted(desired))}

    for user in ("a", "b"):
        policy = Part(Kind.POLICY, f"arn:aws:iam::123456789012:policy/transcribe-pipeline-{user}")
        assert places[policy] < places[Part(Kind.ATTACHMENT, user)]
        assert places[Part(Kind.USER, user)] < places[Part(Kind.ATTACHMENT, user)]
    assert places[Part(Kind.USER, "a")] < places[Part(Kind.KEY, "a")]
    assert Part(Kind.KEY, "b") not in places


def test_only_what_differs_is_in_the_plan():
    """Parts as they shall be are listed with `=`; of a policy the lines that come and go."""
    arn = "arn:aws:iam::123456789012:policy/transcribe-pipeline-a"
    parts = wanted(DesiredAccess(PLAIN, user="a"))
    found = parts | {
        Part(Kind.POLICY, arn): caller_policy(Scope(OWNER, PLAIN.sources, S3Uri("old", "t/"))),
        Part(Kind.USER_TAGS, "a"): None,
    }

    changes = differing(parts, found)
    lines = as_text(parts, changes).split("\n")

    assert [str(change.part) for change in changes] == [
        "policy transcribe-pipeline-a",
        "tags of the user a",
    ]
    assert "= user a" in lines
    assert "+ tags of the user a" in lines
    assert "    - allow s3:PutObject on arn:aws:s3:::old/t/*" in lines
    assert "    + allow s3:PutObject on arn:aws:s3:::audio/transcripts/*" in lines
    assert not [line for line in lines if "StartTranscriptionJob" in line]


def test_what_others_wrote_can_t_forge_a_line():
    """A statement in the account is foreign text; its line breaks are shown escaped."""
    part = Part(Kind.POLICY, "arn:aws:iam::123456789012:policy/x")
    before = {"Statement": {"Effect": "Allow", "Action": "s3:*\n= user a", "Resource": "*"}}

    text = as_text({part: {}}, [Change(part, before, caller_policy(PLAIN))])

    assert "\n= user a" not in text
    assert r"s3:*\n= user a" in text


def test_a_policy_that_iam_would_not_take_is_refused_before_anything_is_made():
    """IAM's limit is known, so that no half of the plan is carried out."""
    places = tuple(S3Uri("audio", f"a-rather-long-prefix-of-calls/{n}/") for n in range(80))

    with pytest.raises(BadSettings, match="IAM takes 6,144"):
        wanted(DesiredAccess(Scope(OWNER, places), user="a"))
