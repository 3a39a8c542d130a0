"""The services beside S3 and Transcribe, as far as the doctor asks them, in front of a cloud."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from tests.support.between import Answer, refusal

if TYPE_CHECKING:
    from tests.conftest import ScriptedCloud
    from tests.support.between import Asked

ARN = "arn:aws:iam::123456789012:user/nightly"
REGION = "us-east-1"


def call_of(asked: Asked) -> str:
    """The call, as an IAM policy names it, such as s3:ListBucket."""
    if target := asked.headers.get("X-Amz-Target"):
        service, _, operation = target.partition(".")
        prefixes = {"Transcribe": "transcribe", "TrentService": "kms", "AmazonSQS": "sqs"}
        return f"{prefixes.get(service, 'servicequotas')}:{operation}"
    if asked.method == "POST":
        operation = parse_qs(asked.body.decode())["Action"][0]
        return f"{'sts' if operation == 'GetCallerIdentity' else 'iam'}:{operation}"
    if asked.method == "HEAD":
        return "s3:HeadBucket"
    if "list-type=2" in asked.path:
        return "s3:ListBucket"
    if "tagging=" in asked.path:
        return "s3:GetObjectTagging"
    return {"GET": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}[asked.method]


_ALWAYS = {
    "servicequotas:ListServiceQuotas": (
        {"Quotas": [{"QuotaCode": "L-6F7AB1C9", "Value": 250.0}]},
        200,
    ),
    "kms:GenerateDataKey": ({"__type": "DryRunOperationException"}, 400),
    "sqs:ReceiveMessage": ({}, 200),
}


@dataclass
class Account:
    """Answers as an account does in which everything is allowed, but for what a test refuses.

    `refused` are codes by call, `arn` is who asks, `region` where the buckets are, `date` what the
    services' clock says. `decisions` are what IAM simulates by action, unless it is allowed;
    `answers` are whole answers by call. `calls` counts what was asked.
    """

    service: ScriptedCloud
    refused: dict[str, str] = field(default_factory=dict)
    arn: str = ARN
    region: str = REGION
    date: str = ""
    decisions: dict[str, str] = field(default_factory=dict)
    answers: dict[str, object] = field(default_factory=dict)
    trusted: str = "transcribe.amazonaws.com"
    calls: dict[str, int] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        """The answer to one request."""
        call = call_of(asked)
        self.calls[call] = self.calls.get(call, 0) + 1
        code = self.refused.get(call) or self.refused.get(f"{call.partition(':')[0]}:*")
        answer = self._refusal(asked, call, code) if code else self._answer(asked, call)
        return answer._replace(headers=answer.headers | ({"Date": self.date} if self.date else {}))

    def _refusal(self, asked: Asked, call: str, code: str) -> Answer:
        words = f"User: {self.arn} is not authorized to perform: {call}"
        service = call.partition(":")[0]
        if service in ("sts", "iam"):
            xml = f"<ErrorResponse><Error><Code>{code}</Code><Message>{words}</Message></Error>"
            return Answer(403, f"{xml}</ErrorResponse>".encode(), {"Content-Type": "text/xml"})
        if service == "s3":
            return refusal(asked, code, words, 403)._replace(
                headers={"x-amz-bucket-region": self.region}
            )
        return Answer(400, json.dumps({"__type": code, "Message": words}).encode(), {})

    def _answer(self, asked: Asked, call: str) -> Answer:
        if call in self.answers:
            return _json(self.answers[call])
        answers = {
            "s3:HeadBucket": self._bucket,
            "sts:GetCallerIdentity": self._identity,
            "iam:SimulatePrincipalPolicy": self._simulated,
            "iam:GetRole": self._role,
        }
        if call in answers:
            return answers[call](asked)
        return _json(*_ALWAYS[call]) if call in _ALWAYS else asked.forward()

    def _bucket(self, asked: Asked) -> Answer:
        known = asked.path.startswith("/audio/")
        return Answer(200 if known else 404, b"", {"x-amz-bucket-region": self.region})

    def _identity(self, _: Asked) -> Answer:
        number = self.arn.split(":")[4]
        return _xml("GetCallerIdentity", f"<Arn>{self.arn}</Arn><Account>{number}</Account>")

    def _simulated(self, asked: Asked) -> Answer:
        parameters = parse_qs(asked.body.decode())
        actions = [value for name, [value] in parameters.items() if name.startswith("ActionNames.")]
        results = "".join(
            f"<member><EvalActionName>{action}</EvalActionName>"
            f"<EvalDecision>{self.decisions.get(action, 'allowed')}</EvalDecision></member>"
            for action in actions
        )
        return _xml("SimulatePrincipalPolicy", f"<EvaluationResults>{results}</EvaluationResults>")

    def _role(self, asked: Asked) -> Answer:
        name = parse_qs(asked.body.decode())["RoleName"][0]
        statement = {"Effect": "Allow", "Principal": {"Service": self.trusted}}
        trust = quote(json.dumps({"Statement": statement}))
        return _xml(
            "GetRole",
            f"<Role><Arn>arn:aws:iam::123456789012:role/teams/{name}</Arn>"
            f"<AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument></Role>",
        )


def _json(content: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(content).encode(), {})


def _xml(operation: str, content: str) -> Answer:
    inner = f"<{operation}Result>{content}</{operation}Result>"
    body = f"<{operation}Response>{inner}</{operation}Response>"
    return Answer(200, body.encode(), {"Content-Type": "text/xml"})
