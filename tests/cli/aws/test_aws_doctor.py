"""`faceveil aws doctor`: what each item of an account leads to.

moto answers for S3, STS, IAM, EC2, SNS and Batch, over HTTP. It knows neither the quotas nor the
cost allocation tags nor Lambda's account settings, and no registry hands out a configuration: there
botocore's Stubber answers, which checks the requests and answers against AWS's own description.
"""

import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from faceveil.aws import account
from faceveil.aws.ecr import DOCKER_MANIFEST, OCI_MANIFEST
from faceveil.cli.aws import doctor
from faceveil.cli.main import main
from faceveil.jobs import checkup
from faceveil.jobs.checkup import COST_TAGS, Deployed, check_up
from testkit import PROJECT
from testkit.iam_policies import allows, statements_of
from testkit.terraform_cli import MODULE

STUBBED = ("service-quotas", "ce", "lambda", "ecr", "sagemaker")
DIGEST = "sha256:" + "a" * 64
IMAGE = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/faceveil-server@{DIGEST}"


class Account:
    """Clients by service: stubbed ones where moto knows nothing."""

    def __init__(self, connect, moto_url):
        self._moto = lambda service: connect(service, moto_url)
        self.clients = {name: boto3.client(name, region_name="eu-west-1") for name in STUBBED}
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    def __call__(self, service):
        if service not in self.clients:
            self.clients[service] = self._moto(service)
        return self.clients[service]

    def quotas(self, service, found, defaults=None):
        """Answer the listing of a service's quotas, and that of the defaults where one follows."""
        stub = self.stubs["service-quotas"]
        listings = [("list_service_quotas", found)]
        listings += [] if defaults is None else [("list_aws_default_service_quotas", defaults)]
        for operation, values in listings:
            quotas = [{"QuotaName": name, "Value": value} for name, value in values.items()]
            stub.add_response(operation, {"Quotas": quotas}, {"ServiceCode": service})

    def denies(self, service, operation):
        self.stubs[service].add_client_error(operation, "AccessDeniedException", "not you")


@pytest.fixture
def aws_account(connect, moto_url):
    return Account(connect, moto_url)


def found(check, clients, deployed=None):
    """The findings of one check, with what `check_up` makes of its errors."""
    checks = [row for row in checkup._CHECKS if row[2] is check]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkup, "_CHECKS", checks)
        return list(check_up(clients, deployed or Deployed()))


def levels(findings):
    return [finding.level for finding in findings]


TRANSFORM, PROCESSING = (
    f"ml.c5.xlarge for {kind} job usage" for kind in ("transform", "processing")
)


def test_quotas_of_instances_are_those_of_the_account_else_those_of_aws(aws_account):
    """A quota that was never raised is listed among the defaults only."""
    aws_account.quotas(
        "sagemaker", {TRANSFORM: 4.0, "another": 9.0}, {TRANSFORM: 0.0, PROCESSING: 0.0}
    )
    transform, processing = found(checkup._instances, aws_account)
    assert (transform.level, processing.level) == ("ok", "missing")
    assert "is 0, 1 needed" in processing.text
    assert "ask for 1 under Service Quotas" in processing.advice
    assert processing.page.startswith("https://docs.aws.amazon.com/")
    aws_account.quotas("sagemaker", {TRANSFORM: 4.0}, {})
    enough = found(checkup._instances, aws_account, Deployed(instance_count=5))
    assert levels(enough) == ["missing", "unknown"]


@pytest.mark.parametrize(
    ("check", "service", "operation", "permission"),
    [
        (checkup._instances, "service-quotas", "list_service_quotas", "ListServiceQuotas"),
        (checkup._concurrency, "lambda", "get_account_settings", "lambda:GetAccountSettings"),
        (checkup._cost_tags, "ce", "list_cost_allocation_tags", "ce:ListCostAllocationTags"),
        (checkup._model, "sagemaker", "describe_model", "sagemaker:DescribeModel"),
    ],
)
def test_what_may_not_be_asked_is_unknown_and_names_the_permission(
    aws_account, check, service, operation, permission
):
    aws_account.denies(service, operation)
    (finding,) = found(check, aws_account, Deployed(model_name="faceveil-0123456789ab"))
    assert finding.level == "unknown"
    assert permission in finding.advice


def test_a_new_accounts_ten_functions_are_enough_and_what_is_reserved_does_not_count(aws_account):
    for limit, unreserved, level in ((10, 10, "ok"), (1000, 4, "missing")):
        settings = {
            "ConcurrentExecutions": limit,
            "UnreservedConcurrentExecutions": unreserved,
        }
        aws_account.stubs["lambda"].add_response(
            "get_account_settings", {"AccountLimit": settings}, {}
        )
        assert levels(found(checkup._concurrency, aws_account)) == [level]


def test_fargate_that_holds_one_chunk_works_and_less_does_not(aws_account):
    on_demand, spot = (f"Fargate {kind} vCPU resource count" for kind in ("On-Demand", "Spot"))
    aws_account.quotas("fargate", {on_demand: 6.0})
    aws_account.quotas("fargate", {spot: 2.0})
    few, none = found(checkup._rendering, aws_account)
    assert (few.level, none.level) == ("ok", "missing")
    assert "is 6: 64 would be used at most" in few.text
    assert "ask for 64" in none.advice


def test_roles_that_services_make_are_found(aws_account, connect, moto_url):
    first = found(checkup._linked_roles, aws_account)
    assert levels(first) == ["missing", "missing"]
    assert first[0].advice.endswith("--aws-service-name batch.amazonaws.com")
    # moto names service-linked roles otherwise than AWS.
    connect("iam", moto_url).create_role(
        RoleName="AWSServiceRoleForBatch", AssumeRolePolicyDocument="{}"
    )
    assert levels(found(checkup._linked_roles, aws_account)) == ["ok", "missing"]


def test_a_network_is_there_or_is_made(aws_account, connect, moto_url):
    assert levels(found(checkup._network, aws_account)) == ["ok"]  # moto has a default VPC

    class Without:
        def describe_vpcs(self, **_):
            return {"Vpcs": []}

    (finding,) = found(checkup._network, lambda service: Without())
    assert finding.level == "missing"
    assert "network = { create = true }" in finding.advice
    own = Deployed(has_own_network=True)
    assert levels(found(checkup._network, lambda service: Without(), own)) == ["ok"]


def test_mail_counts_once_it_is_confirmed(aws_account, connect, moto_url):
    sns = connect("sns", moto_url)
    topic = sns.create_topic(Name=f"alarms-{uuid.uuid4().hex[:6]}")["TopicArn"]
    (finding,) = found(checkup._mail, aws_account, Deployed(topic=topic))
    assert "no e-mail address is told" in finding.text
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="desk@example.org")
    assert levels(found(checkup._mail, aws_account, Deployed(topic=topic))) == ["ok"]

    class Pending:
        def get_paginator(self, operation):
            assert operation == "list_subscriptions_by_topic"
            return self

        def paginate(self, **_):
            subscription = {
                "Protocol": "email",
                "Endpoint": "desk@example.org",
                "SubscriptionArn": "PendingConfirmation",  # as AWS answers; moto confirms at once
            }
            return [{"Subscriptions": [subscription]}]

    (finding,) = found(checkup._mail, lambda service: Pending(), Deployed(topic=topic))
    assert (finding.level, finding.text) == (
        "missing",
        "alarms: desk@example.org has not confirmed",
    )


def test_cost_tags_are_active_or_say_who_activates_them(aws_account):
    tags = [
        {"TagKey": COST_TAGS[0], "Type": "UserDefined", "Status": "Active"},
        {"TagKey": COST_TAGS[1], "Type": "UserDefined", "Status": "Inactive"},
    ]
    aws_account.stubs["ce"].add_response(
        "list_cost_allocation_tags", {"CostAllocationTags": tags}, {"TagKeys": list(COST_TAGS)}
    )
    active, inactive = found(checkup._cost_tags, aws_account)
    assert (active.level, inactive.level) == ("ok", "missing")
    assert "in the account that pays" in inactive.advice


def test_the_bucket_is_reached_and_lies_in_the_region(aws_account, connect, moto_url, monkeypatch):
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    where = {"LocationConstraint": "eu-west-1"}
    connect("s3", moto_url).create_bucket(Bucket=name, CreateBucketConfiguration=where)
    assert levels(found(checkup._bucket, aws_account, Deployed(bucket=name))) == ["ok"]
    (absent,) = found(checkup._bucket, aws_account, Deployed(bucket=f"{name}-x"))
    assert absent.level == "missing"
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    (elsewhere,) = found(checkup._bucket, aws_account, Deployed(bucket=name))
    assert elsewhere.level == "missing"
    assert "lies in eu-west-1, not in us-east-1" in elsewhere.text


@pytest.fixture
def configuration():
    """A server of one image configuration, as ECR hands it out; its address and its labels."""
    labels = {}

    class Blob(BaseHTTPRequestHandler):
        def do_GET(self):
            content = json.dumps({"config": {"Labels": labels}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Blob)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/blob", labels
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("media_type", "networks", "expected"),
    [
        (DOCKER_MANIFEST, "mtcnn centerface", ["ok", "ok"]),
        (OCI_MANIFEST, "mtcnn centerface", ["missing", "ok"]),
        (DOCKER_MANIFEST, None, ["ok", "missing"]),
    ],
)
def test_the_image_of_the_model_is_one_that_sagemaker_takes(
    aws_account, configuration, media_type, networks, expected
):
    address, labels = configuration
    labels |= {checkup.NETWORKS_LABEL: networks} if networks else {}
    aws_account.stubs["sagemaker"].add_response(
        "describe_model",
        {
            "ModelName": "faceveil-0123456789ab",
            "PrimaryContainer": {"Image": IMAGE},
            "CreationTime": 0,
            "ModelArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/faceveil-0123456789ab",
        },
        {"ModelName": "faceveil-0123456789ab"},
    )
    manifest = json.dumps({"mediaType": media_type, "config": {"digest": "sha256:" + "b" * 64}})
    aws_account.stubs["ecr"].add_response(
        "batch_get_image",
        {"images": [{"imageManifest": manifest, "imageId": {"imageDigest": DIGEST}}]},
        {
            "repositoryName": "faceveil-server",
            "imageIds": [{"imageDigest": DIGEST}],
            "acceptedMediaTypes": [DOCKER_MANIFEST, OCI_MANIFEST],
        },
    )
    aws_account.stubs["ecr"].add_response(
        "get_download_url_for_layer",
        {"downloadUrl": address, "layerDigest": "sha256:" + "b" * 64},
        {"repositoryName": "faceveil-server", "layerDigest": "sha256:" + "b" * 64},
    )
    deployed = Deployed(model_name="faceveil-0123456789ab")
    assert levels(found(checkup._model, aws_account, deployed)) == expected


def test_a_deployed_functions_memory_and_image_are_read(aws_account, monkeypatch):
    """GetFunction's answer as its reference describes it; the image may be named in two ways."""
    images = []
    monkeypatch.setattr(checkup, "_image", lambda clients, label, image: images.append(image) or [])
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:faceveil"
    by_tag = IMAGE.partition("@")[0] + ":latest"
    for name, code in (
        ("submit", {"RepositoryType": "ECR", "ImageUri": by_tag, "ResolvedImageUri": IMAGE}),
        ("sweep", {"RepositoryType": "ECR", "ImageUri": IMAGE}),
    ):
        configuration = {"FunctionName": f"faceveil-{name}", "MemorySize": 1024, "Timeout": 300}
        aws_account.stubs["lambda"].add_response(
            "get_function",
            {"Configuration": {**configuration, "PackageType": "Image"}, "Code": code},
            {"FunctionName": f"{arn}-{name}"},
        )
    deployed = Deployed(functions={name: f"{arn}-{name}" for name in ("sweep", "submit")})
    submit, sweep = found(checkup._functions, aws_account, deployed)
    assert submit.text == "function submit: deployed with 1024 MB"
    assert sweep.level == "ok"
    assert images == [IMAGE], "one image is behind all functions"
    aws_account.denies("lambda", "get_function")
    (finding,) = found(checkup._functions, aws_account, deployed)
    assert finding.level == "unknown"
    assert "lambda:GetFunction" in finding.advice


def test_what_a_queue_runs_on_is_read_and_a_broken_environment_told(aws_account):
    """DescribeJobQueues and DescribeComputeEnvironments, as their references describe them."""
    arn = "arn:aws:batch:eu-west-1:123456789012"
    queue, places = (
        f"{arn}:job-queue/faceveil-render",
        [f"{arn}:compute-environment/{n}" for n in "ab"],
    )
    client = boto3.client("batch", region_name="eu-west-1")
    aws_account.clients["batch"] = client

    def environment(name, kind, status):
        return {
            "computeEnvironmentName": name,
            "computeEnvironmentArn": f"{arn}:compute-environment/{name}",
            "ecsClusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/AWSBatch",
            "state": "ENABLED",
            "status": status,
            "statusReason": "CLIENT_ERROR - not authorised",
            "computeResources": {"type": kind, "maxvCpus": 64, "subnets": ["subnet-1"]},
        }

    with Stubber(client) as stub:
        stub.add_response(
            "describe_job_queues",
            {
                "jobQueues": [
                    {
                        "jobQueueName": "faceveil-render",
                        "jobQueueArn": queue,
                        "state": "ENABLED",
                        "status": "VALID",
                        "priority": 1,
                        "computeEnvironmentOrder": [
                            {"order": n + 1, "computeEnvironment": place}
                            for n, place in enumerate(places)
                        ],
                    }
                ]
            },
            {"jobQueues": [queue]},
        )
        stub.add_response(
            "describe_compute_environments",
            {
                "computeEnvironments": [
                    environment("a", "FARGATE_SPOT", "VALID"),
                    environment("b", "FARGATE", "INVALID"),
                ]
            },
            {"computeEnvironments": places},
        )
        for name in ("Fargate Spot vCPU resource count", "Fargate On-Demand vCPU resource count"):
            aws_account.quotas("fargate", {name: 4000.0})
        findings = found(checkup._rendering, aws_account, Deployed(job_queue=queue))
        assert levels(findings) == ["ok", "ok", "missing"]
        assert "FARGATE: INVALID (CLIENT_ERROR - not authorised)" in findings[-1].text
        stub.add_response("describe_job_queues", {"jobQueues": []}, {"jobQueues": [queue]})
        (finding,) = found(checkup._rendering, aws_account, Deployed(job_queue=queue))
        assert (finding.level, finding.advice) == ("missing", "apply terraform/ again")


def test_the_outputs_say_that_a_deployment_has_its_own_network(tmp_path):
    """Subnets of its own, made or named; none where it uses the default VPC."""
    for subnets, has_own in ((["subnet-1"], True), ([], False)):
        path = tmp_path / "outputs.json"
        path.write_text(json.dumps({"subnet_ids": {"value": subnets}, "bucket": {"value": "b-b"}}))
        options = SimpleNamespace(
            outputs=path, bucket=None, instance_type=None, instance_count=None
        )
        assert doctor._deployed(options).has_own_network is has_own


def test_the_images_name_the_networks_that_they_are_built_with():
    text = (PROJECT / "Dockerfile").read_text()
    post, server = re.findall(
        r'LABEL .*?faceveil\.networks="([^"]+)"|faceveil\.networks="([^"]+)"', text
    )
    asked = re.findall(r"--network (\S+)", text)
    assert (post[0] or post[1]).split() == asked
    from faceveil.weights.catalogue import ANALYZER_NETWORKS

    assert (server[0] or server[1]).split() == list(ANALYZER_NETWORKS)


def test_the_command_goes_on_past_what_it_may_not_know_and_says_what_is_missing(
    moto_url, monkeypatch, capsys, tmp_path
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"bucket": {"value": f"none-{uuid.uuid4().hex[:8]}"}}))
    assert main(["aws", "doctor", "--outputs", str(outputs)]) == 1
    said = capsys.readouterr().out
    assert re.search(r"^ok       credentials: account 123456789012, arn:aws:", said)
    assert re.search(r"^missing  bucket: ", said, re.M)
    assert "alarms" in said and "default VPC" in said
    assert re.search(r"\n\d+ ok, \d+ missing, \d+ unknown\n$", said)


@pytest.mark.slow
def test_an_operator_may_ask_all_that_the_doctor_and_costs_ask(module_test):
    """Every permission that the code names, on what it asks it for; no more of the services."""
    files = [Path(account.__file__), PROJECT / "faceveil/aws/cost_explorer.py"]
    files.append(PROJECT / "faceveil/aws/ecr.py")
    named = {
        name for file in files for name in re.findall(r'"([a-z0-9]+:[A-Z]\w+)"', file.read_text())
    } - {"sts:GetCallerIdentity", "ecr:GetAuthorizationToken"}  # needs none; build-images
    assert {"ce:ListCostAllocationTags", "ecr:BatchGetImage", "iam:GetRole"} <= named
    here = "eu-west-1:123456789012"
    resources = {
        "ecr": f"arn:aws:ecr:{here}:repository/faceveil-server",
        "iam": "arn:aws:iam::123456789012:role/aws-service-role/batch.amazonaws.com/"
        "AWSServiceRoleForBatch",
        "s3": "arn:aws:s3:::faceveil-123456789012-eu-west-1",
        "lambda:GetFunction": f"arn:aws:lambda:{here}:function:faceveil-submit",
        "sagemaker": f"arn:aws:sagemaker:{here}:model/faceveil-0123456789ab",
        "sns": f"arn:aws:sns:{here}:faceveil-alarms",
    }
    operator = statements_of(module_test.states["defaults"]["outputs"]["operator_policy"]["value"])
    for name in sorted(named):
        resource = resources.get(name) or resources.get(name.partition(":")[0], "*")
        assert allows(operator, name, resource), name
    assert not allows(operator, "iam:GetRole", "arn:aws:iam::123456789012:role/administrator")
    assert (MODULE / "iam_operator.tf").is_file()
