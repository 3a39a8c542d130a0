"""What can't be tried without starting a job is asked of IAM, as far as it may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.doctor.findings import Finding, ok, problem, skipped, why_unknown
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pipeline.aws.service import Service
    from pipeline.doctor.account import Identity

_START = "transcribe:StartTranscriptionJob"
_TAG = "transcribe:TagResource"
_SERVICE = "transcribe.amazonaws.com"
_POLICY = "Allow it; `transcribe-pipeline iam policy` prints all that a run needs."


class SimulatedCall(NamedTuple):
    """Some actions on one resource, and what IAM is to know of the circumstances."""

    actions: Sequence[str]
    resource: str = "*"
    context: tuple[tuple[str, str], ...] = ()


class Permissions:
    """The lines about rights that only IAM can tell."""

    def __init__(self, iam: Service, identity: Callable[[], Awaitable[Identity]]) -> None:
        self._iam = iam
        self._identity = identity

    async def start_jobs(self, *, tags: bool) -> Finding:
        """Whether jobs may be started."""
        actions = [_START, *([_TAG] if tags else [])]
        return await self._simulated_for_caller(
            "Whether jobs may be started", [SimulatedCall(actions)]
        )

    async def pass_role(self, role: str) -> Finding:
        """Whether the role may be handed to the service, and the service may take it on."""
        what = f"Whether {role} may be used"
        passing = SimulatedCall(["iam:PassRole"], role, (("iam:PassedToService", _SERVICE),))
        found = await self._simulated_for_caller(what, [passing])
        untrusted = await self._untrusted(role)
        return (
            problem(untrusted, "`transcribe-pipeline iam apply` corrects it.")
            if untrusted
            else found
        )

    async def act_in_role(self, role: str, calls: Sequence[SimulatedCall]) -> Finding:
        """Whether the service could read and write in that role."""
        try:
            return await self._simulated(role, calls)
        except PipelineError as error:
            return _unknown(f"What {role} may do", error)

    async def _simulated_for_caller(self, what: str, calls: Sequence[SimulatedCall]) -> Finding:
        try:
            arn = await self._principal(await self._identity())
            if arn.endswith(":root"):
                return ok("The root user may do everything.")
            return await self._simulated(arn, calls)
        except PipelineError as error:
            return _unknown(what, error)

    async def _principal(self, who: Identity) -> str:
        """The user or role whose policies count: of a session it is the role, with its path."""
        kind, _, rest = who.arn.partition(":assumed-role/")
        if not rest:
            return who.arn
        name = rest.partition("/")[0]
        try:
            return str((await self._iam.call("GetRole", RoleName=name))["Role"]["Arn"])
        except PipelineError:
            return f"{kind.replace(':sts:', ':iam:')}:role/{name}"

    async def _simulated(self, arn: str, calls: Sequence[SimulatedCall]) -> Finding:
        refused: list[str] = []
        for each in calls:
            for result in await self._results(arn, each):
                if result.get("MissingContextValues"):
                    unknown = ", ".join(result["MissingContextValues"])
                    return skipped(
                        f"The policies of {arn} ask for what IAM is not told: {unknown}."
                    )
                if result["EvalDecision"] != "allowed":
                    refused.append(f"{result['EvalActionName']} on {each.resource}")
        if refused:
            return problem(f"{arn} may not {', '.join(refused)}, as IAM simulates it.", _POLICY)
        actions = [action for each in calls for action in each.actions]
        return ok(f"{arn} may {', '.join(actions)}, as IAM simulates it.")

    async def _results(self, arn: str, call: SimulatedCall) -> list[dict[str, Any]]:
        answer = await self._iam.call(
            "SimulatePrincipalPolicy",
            PolicySourceArn=arn,
            ActionNames=list(call.actions),
            ResourceArns=[call.resource],
            ContextEntries=[
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in call.context
            ],
        )
        results: list[dict[str, Any]] = answer["EvaluationResults"]
        return results

    async def _untrusted(self, role: str) -> str:
        """Why the service could not assume the role; "" where it can, or where that is unknown."""
        try:
            answer = await self._iam.call("GetRole", RoleName=role.rpartition("/")[2])
        except PipelineError:
            return ""
        return why_untrusted(role, answer["Role"].get("AssumeRolePolicyDocument", {}))


def why_untrusted(role: str, trust: Any) -> str:
    """Why a role with this trust policy is none for the service; "" where it is. Pure."""
    for each in _listed(trust.get("Statement", [])):
        principal = each.get("Principal", {})
        services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else []
        if each.get("Effect") == "Allow" and _SERVICE in services:
            return ""
    return f"The trust policy of {role} does not let {_SERVICE} assume the role."


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unknown(what: str, error: PipelineError) -> Finding:
    return skipped(f"{what} can't be told without starting a job: {why_unknown(error)}")
