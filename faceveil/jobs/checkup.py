"""What a deployment needs of its account, checked item by item: `faceveil aws doctor`.

Nothing is changed. What the credentials may not ask is unknown, not missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from faceveil.aws import account
from faceveil.aws.account import AbsentError, Clients, NotAllowedError
from faceveil.aws.clients import region
from faceveil.aws.ecr import DOCKER_MANIFEST, stored_image
from faceveil.errors import InputError
from faceveil.jobs.transforms.request import INSTANCE_TYPE

Level = Literal["ok", "missing", "unknown"]

MAX_VCPUS, CHUNK_VCPUS = 64, 4
"""Of all chunks of a deployment and of one chunk, unless its variables say otherwise."""
FUNCTION_MEMORY_MB = 3008
"""What the functions of the default deployment have, and what new accounts allow."""
NEEDED_AT_ONCE = 10
"""Functions that run at once in a new account: enough, as events wait for hours."""
COST_TAGS = ("faceveil:deployment", "faceveil:job-id")
NETWORKS_LABEL = "faceveil.networks"
_LINKED_ROLES = {
    "AWSServiceRoleForBatch": "batch.amazonaws.com",
    "AWSServiceRoleForECS": "ecs.amazonaws.com",
}
_SPOT_ROLE = {"AWSServiceRoleForEC2Spot": "spot.amazonaws.com"}
_VCPU_QUOTAS = {
    "FARGATE": ("fargate", "Fargate On-Demand vCPU resource count"),
    "FARGATE_SPOT": ("fargate", "Fargate Spot vCPU resource count"),
    "EC2": ("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
    "SPOT": ("ec2", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
}

_DOCS = "https://docs.aws.amazon.com/"
QUOTAS_PAGE = f"{_DOCS}servicequotas/latest/userguide/request-quota-increase.html"
SAGEMAKER_PAGE = f"{_DOCS}general/latest/gr/sagemaker.html"
LAMBDA_PAGE = f"{_DOCS}lambda/latest/dg/gettingstarted-limits.html"
FARGATE_PAGE = f"{_DOCS}AmazonECS/latest/developerguide/service-quotas.html"
ROLES_PAGE = f"{_DOCS}IAM/latest/UserGuide/using-service-linked-roles.html"
VPC_PAGE = f"{_DOCS}vpc/latest/userguide/default-vpc.html"
IMAGE_PAGE = f"{_DOCS}AmazonECR/latest/userguide/image-manifest-formats.html"
TAGS_PAGE = f"{_DOCS}awsaccountbilling/latest/aboutv2/activating-tags.html"
SNS_PAGE = f"{_DOCS}sns/latest/dg/SendMessageToHttp.confirm.html"
BUCKET_PAGE = f"{_DOCS}AmazonS3/latest/API/API_HeadBucket.html"
IDENTITY_PAGE = f"{_DOCS}cli/latest/userguide/cli-chap-configure.html"
BATCH_PAGE = f"{_DOCS}batch/latest/userguide/troubleshooting.html"


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked item. advice: what to do, page: AWS's page about it; "" where all is well."""

    level: Level
    text: str
    advice: str = ""
    page: str = ""

    def __str__(self) -> str:
        lines = [f"{self.level:<9}{self.text}"]
        lines += [f"{'':9}{line}" for line in (self.advice, self.page) if line]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is to be checked: of Terraform's outputs, or the defaults before the first apply.

    None and empty stand for what does not exist yet. functions: ARNs by name.
    """

    bucket: str | None = None
    model_name: str | None = None
    functions: dict[str, str] = field(default_factory=dict)
    job_queue: str | None = None
    topic: str | None = None
    instance_types: tuple[str, ...] = (INSTANCE_TYPE,)
    instance_count: int = 1
    has_own_network: bool = False


Check = Callable[[Clients, Deployed], Iterator[Finding]]


def check_up(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    """Check everything, one finding after the other.

    Parameters
    ----------
    clients
        A client of boto3 for the name of a service, as `account.service_client` makes them.
    deployed
        What exists.

    Yields
    ------
    Finding
        What is well, what is missing, and what these credentials cannot tell.
    """
    for label, page, check in _CHECKS:
        try:
            yield from check(clients, deployed)
        except NotAllowedError as error:
            advice = f"allow {error.permission} (Terraform's output operator_policy has it)"
            yield Finding("unknown", f"{label}: these credentials may not ask", advice, page)
        except AbsentError as error:
            yield Finding("missing", f"{label}: {error}", "apply terraform/ again", page)
        except InputError as error:
            yield Finding("unknown", f"{label}: AWS does not tell", str(error), page)


def _identity(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    caller = account.ask(clients("sts"), "get_caller_identity", "sts:GetCallerIdentity")
    yield Finding("ok", f"credentials: account {caller['Account']}, {caller['Arn']}, {region()}")


def _bucket(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    if deployed.bucket is None:
        yield _not_deployed("bucket", BUCKET_PAGE)
        return
    found = account.bucket_region(clients, deployed.bucket)
    if found in ("", region()):
        yield Finding("ok", f"bucket {deployed.bucket} is reached, in {found or region()}")
        return
    advice = f"set AWS_REGION={found}: SageMaker reads buckets of its own region only"
    text = f"bucket {deployed.bucket} lies in {found}, not in {region()}"
    yield Finding("missing", text, advice, BUCKET_PAGE)


def _instances(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    uses = [
        f"{name} for {kind} job usage"
        for name in deployed.instance_types
        for kind in ("transform", "processing")
    ]
    found = account.quotas(clients, "sagemaker", set(uses))
    for name in uses:
        yield _quota(name, found.get(name), deployed.instance_count, "SageMaker", SAGEMAKER_PAGE)


def _concurrency(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    limit, unreserved = account.function_concurrency(clients)
    text = f"Lambda: {limit} functions at once, {unreserved} of them not reserved"
    if unreserved >= NEEDED_AT_ONCE:
        yield Finding("ok", text)
        return
    advice = f'ask for more "Concurrent executions", or reserve less: {NEEDED_AT_ONCE} are needed'
    yield Finding("missing", text, advice, LAMBDA_PAGE)


def _functions(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    if not deployed.functions:
        text = f"Lambda: whether functions may have {FUNCTION_MEMORY_MB} MB, no service tells"
        advice = "every account may; for more, open a support case. An apply shows it"
        yield Finding("unknown", text, advice, LAMBDA_PAGE)
        return
    for name, arn in sorted(deployed.functions.items()):
        memory, image = account.function_image(clients, arn)
        yield Finding("ok", f"function {name}: deployed with {memory} MB")
        if name == "submit":
            yield from _image(clients, "post-processing", image)


def _model(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    if deployed.model_name is None:
        yield _not_deployed("SageMaker model", IMAGE_PAGE)
        return
    image = account.model_image(clients, deployed.model_name)
    yield from _image(clients, "server", image)


def _image(clients: Clients, label: str, image: str) -> Iterator[Finding]:
    stored = stored_image(clients("ecr"), image)
    rebuild = "build and push it again: faceveil aws build-images"
    if stored.media_type == DOCKER_MANIFEST:
        yield Finding("ok", f"image of {label}: Docker manifest, version 2, schema 2")
    else:
        text = f"image of {label}: its manifest is {stored.media_type}, which SageMaker refuses"
        yield Finding("missing", text, rebuild, IMAGE_PAGE)
    networks = stored.labels.get(NETWORKS_LABEL)
    if networks:
        yield Finding("ok", f"image of {label}: holds the networks {networks}")
    else:
        text = f"image of {label}: it does not say which networks it holds"
        yield Finding("missing", text, rebuild, IMAGE_PAGE)


def _rendering(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    environments = [
        account.ComputeEnvironment("FARGATE", MAX_VCPUS, "VALID", ""),
        account.ComputeEnvironment("FARGATE_SPOT", MAX_VCPUS, "VALID", ""),
    ]
    if deployed.job_queue is not None:
        environments = account.compute_environments(clients, deployed.job_queue)
    for each in environments:
        service, name = _VCPU_QUOTAS[each.kind]
        quota = account.quotas(clients, service, {name}).get(name)
        yield _quota(name, quota, CHUNK_VCPUS, "AWS Batch", FARGATE_PAGE, wanted=each.max_vcpus)
        if deployed.job_queue is not None and each.state != "VALID":
            text = f"compute environment {each.kind}: {each.state} ({each.reason})"
            yield Finding("missing", text, "see its reason in AWS Batch", BATCH_PAGE)


def _linked_roles(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    wanted = dict(_LINKED_ROLES)
    if deployed.job_queue is not None:
        kinds = {each.kind for each in account.compute_environments(clients, deployed.job_queue)}
        wanted |= _SPOT_ROLE if "SPOT" in kinds else {}
    for role, service in wanted.items():
        if account.has_role(clients, role):
            yield Finding("ok", f"service-linked role {role}")
        else:
            advice = f"aws iam create-service-linked-role --aws-service-name {service}"
            yield Finding("missing", f"service-linked role {role}", advice, ROLES_PAGE)


def _network(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    if deployed.has_own_network:
        yield Finding("ok", "network: the deployment has subnets of its own")
        return
    found = account.default_vpcs(clients)
    if found:
        yield Finding("ok", f"default VPC {found[0]}")
    else:
        advice = "set network = { create = true } or subnet_ids, or: aws ec2 create-default-vpc"
        yield Finding("missing", f"{region()} has no default VPC", advice, VPC_PAGE)


def _mail(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    if deployed.topic is None:
        yield _not_deployed("topic of alarms", SNS_PAGE)
        return
    found = account.mail_subscriptions(clients, deployed.topic)
    if not found:
        text = "alarms: no e-mail address is told of failed jobs"
        yield Finding("missing", text, "set alarm_emails and apply", SNS_PAGE)
    for address, is_confirmed in found.items():
        if is_confirmed:
            yield Finding("ok", f"alarms: {address} has confirmed")
        else:
            advice = "follow the link in AWS's e-mail; after three days, apply again for a new one"
            yield Finding("missing", f"alarms: {address} has not confirmed", advice, SNS_PAGE)


def _cost_tags(clients: Clients, deployed: Deployed) -> Iterator[Finding]:
    active = account.active_cost_tags(clients, list(COST_TAGS))
    for key in COST_TAGS:
        if key in active:
            yield Finding("ok", f"cost allocation tag {key} is active")
        else:
            advice = (
                "activate it under Billing, Cost allocation tags, in the account that pays; AWS "
                "offers a tag a day after its first use. Until then budget and costs see nothing"
            )
            text = f"cost allocation tag {key} is not active"
            yield Finding("missing", text, advice, TAGS_PAGE)


def _quota(
    name: str, value: float | None, needed: int, service: str, page: str, wanted: int | None = None
) -> Finding:
    label = f"{service}: quota {name!r}"
    if value is None:
        advice = f"look for it under Service Quotas; {needed} is needed"
        return Finding("unknown", f"{label}: not among the quotas that AWS lists", advice, page)
    if value < needed:
        advice = f"ask for {max(needed, wanted or 0)} under Service Quotas: {QUOTAS_PAGE}"
        return Finding("missing", f"{label} is {value:g}, {needed} needed", advice, page)
    if wanted is not None and value < wanted:
        return Finding("ok", f"{label} is {value:g}: {wanted} would be used at most")
    return Finding("ok", f"{label} is {value:g}")


def _not_deployed(label: str, page: str) -> Finding:
    advice = "give --outputs, written by `terraform output -json`, after the apply"
    return Finding("unknown", f"{label}: no deployment is named", advice, page)


_CHECKS: tuple[tuple[str, str, Check], ...] = (
    ("credentials", IDENTITY_PAGE, _identity),
    ("bucket", BUCKET_PAGE, _bucket),
    ("quotas of SageMaker", SAGEMAKER_PAGE, _instances),
    ("concurrency of Lambda", LAMBDA_PAGE, _concurrency),
    ("functions", LAMBDA_PAGE, _functions),
    ("SageMaker model", IMAGE_PAGE, _model),
    ("vCPUs of rendering", FARGATE_PAGE, _rendering),
    ("service-linked roles", ROLES_PAGE, _linked_roles),
    ("network", VPC_PAGE, _network),
    ("e-mails of alarms", SNS_PAGE, _mail),
    ("cost allocation tags", TAGS_PAGE, _cost_tags),
)
