"""What roles may do, read from what Terraform plans or has made.

    roles = roles_of(state)          # role -> statements
    allows(roles["submit"], "s3:GetObject", "arn:aws:s3:::bucket/jobs/1/job.json")

Evaluated as IAM does for one account: what is not allowed is denied, a Deny wins, and a condition
on a key that the request does not have is not met, unless its operator ends in "IfExists".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Resource = dict[str, Any]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; every part of it must match."""

    name: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(operator, key, values): the key's value must match one of the values."""

    def matches(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether the statement says something about this request."""
        return (
            any(_like(action.lower(), known.lower()) for known in self.actions)
            and any(_like(resource, known) for known in self.resources)
            and all(_met(*condition, context) for condition in self.conditions)
        )


def allows(
    statements: Iterable[Statement],
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
) -> bool:
    """Whether a role with these statements may do `action` ("s3:GetObject") on `resource` (an
    ARN, or "*" for actions that know none). context: the request's condition keys, such as
    "s3:prefix" of a listing."""
    effects = {
        statement.effect
        for statement in statements
        if statement.matches(action, resource, context or {})
    }
    return effects == {"Allow"}


def statements_of(policy: str | Mapping[str, Any]) -> list[Statement]:
    """The statements of a policy document. Raises ValueError at what is not understood."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    return [_statement(each) for each in document["Statement"]]


def denials_of(policy: str) -> list[Statement]:
    """What a bucket's policy denies everyone. Raises ValueError as `statements_of`."""
    denials = [each for each in json.loads(policy)["Statement"] if each["Effect"] == "Deny"]
    if any(each.pop("Principal") != "*" for each in denials):
        raise ValueError("a denial of some principals only is not understood")
    return statements_of({"Statement": denials})


def roles_of(state: Mapping[str, Any]) -> dict[str, list[Statement]]:
    """Statements of each role of the module, by what takes it ("submit", "render", ...).

    state: what `terraform show -json` prints of a state or a plan, or `terraform test -json
    -verbose` of a run.
    """
    policies = [each for each in resources_of(state) if each["type"] == "aws_iam_role_policy"]
    return {each["index"]: statements_of(each["values"]["policy"]) for each in policies}


def resources_of(state: Mapping[str, Any]) -> Iterator[Resource]:
    """All resources, of the root module and of those it calls."""
    values = state.get("planned_values") or state.get("values") or state
    waiting = [values["root_module"]]
    while waiting:
        module = waiting.pop()
        yield from module.get("resources", [])
        waiting += module.get("child_modules", [])


def _statement(document: Mapping[str, Any]) -> Statement:
    unknown = set(document) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise ValueError(f"a statement of a role has {sorted(unknown)}, which is not understood")
    conditions = tuple(
        (operator, key, _several(values))
        for operator, wanted in document.get("Condition", {}).items()
        for key, values in wanted.items()
    )
    for operator, _, _ in conditions:
        if operator not in _OPERATORS:
            raise ValueError(f"the condition operator {operator} is not understood")
    return Statement(
        name=document.get("Sid", ""),
        effect=document["Effect"],
        actions=_several(document["Action"]),
        resources=_several(document["Resource"]),
        conditions=conditions,
    )


def _several(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _like(value: str, pattern: str) -> bool:
    """IAM's wildcards: * is any text, slashes and colons included, ? any one character."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _met(operator: str, key: str, values: tuple[str, ...], context: Mapping[str, str]) -> bool:
    compare = _OPERATORS[operator]
    if key not in context:
        return operator.endswith("IfExists") or operator.startswith(("ForAllValues:", "ArnNot"))
    if operator.startswith("ArnNot"):
        return not any(compare(context[key], value) for value in values)
    return any(compare(context[key], value) for value in values)


def _equal(value: str, wanted: str) -> bool:
    return value == wanted


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Bool": _equal,
    "StringEquals": _equal,
    "StringLike": _like,
    "StringLikeIfExists": _like,
    "ForAllValues:StringEquals": _equal,
    "ArnLike": _like,
    "ArnNotLike": _like,
}
