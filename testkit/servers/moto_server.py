"""moto's server, so that Terraform can apply the module, plan again without a diff, and destroy.

`python moto_server.py --port N`. Each patch below names what moto lacks: mostly it forgets
something it was sent, which Terraform then sees as a difference. moto only pretends: nothing runs
here, and nothing is proven about AWS beyond what Terraform asks it to remember.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any, TypeAlias

from moto.awslambda.models import ImageConfig, LambdaFunction
from moto.batch.models import BatchBackend, JobQueue
from moto.batch.responses import BatchResponse
from moto.budgets.responses import BudgetsResponse
from moto.core.config import default_user_config
from moto.core.exceptions import JsonRESTError
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.iam.models import iam_backends
from moto.sagemaker.models import FakeSagemakerNotebookInstance, Model
from moto.sagemaker.responses import SageMakerResponse
from moto.server import main

Original = Callable[..., Any]
Patched: TypeAlias = Any
"""An object of moto, whose own types do not know what is added here."""
Result: TypeAlias = Any

BATCH_SERVICE_ROLE = "AWSServiceRoleForBatch"


def patched(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """Decorator: `patch(original, self, ...)` takes the place of `owner.name`."""

    def replace(patch: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return patch(original, self, *args, **kwargs)

        setattr(owner, name, method)

    return replace


def patch_lambda() -> None:
    """moto forgets a function's DeadLetterConfig and LoggingConfig, and answers an EntryPoint that
    is empty where there is none."""

    @patched(LambdaFunction, "__init__")
    def remember(
        original: Original,
        self: Patched,
        account_id: str,
        spec: dict[str, Any],
        *args: object,
        **kwargs: object,
    ) -> None:
        original(self, account_id, spec, *args, **kwargs)
        self.forgotten = {
            name: spec[name] for name in ("DeadLetterConfig", "LoggingConfig") if name in spec
        }

    @patched(LambdaFunction, "get_configuration")
    def answer(original: Original, self: Patched, *args: object, **kwargs: object) -> Result:
        return {**original(self, *args, **kwargs), **self.forgotten}

    @patched(ImageConfig, "response")
    def without_empty(original: Original, self: Patched) -> Result:
        return {name: value for name, value in original(self).items() if value}


def patch_sagemaker() -> None:
    """moto forgets EnableNetworkIsolation and a notebook's metadata service, and answers a
    VpcConfig, Containers and Environment that are empty where there are none."""

    @patched(SageMakerResponse, "create_model")
    def remember(original: Original, self: Patched) -> Result:
        answer = original(self)
        model = self.sagemaker_backend.describe_model(self._get_param("ModelName"))
        model.enable_network_isolation = bool(self._get_param("EnableNetworkIsolation"))
        return answer

    @patched(SageMakerResponse, "create_notebook_instance")
    def remember_metadata_service(original: Original, self: Patched) -> Result:
        answer = original(self)
        notebook = self.sagemaker_backend.get_notebook_instance(
            self._get_param("NotebookInstanceName")
        )
        notebook.metadata_service = self._get_param("InstanceMetadataServiceConfiguration")
        return answer

    @patched(FakeSagemakerNotebookInstance, "to_dict")
    def answer_metadata_service(original: Original, self: Patched) -> Result:
        answer = original(self)
        if self.metadata_service:
            answer["InstanceMetadataServiceConfiguration"] = self.metadata_service
        return answer

    original = Model.response_object.fget

    def response_object(self: Patched) -> Result:
        answer = {
            name: value
            for name, value in original(self).items()
            if value or name not in ("VpcConfig", "Containers")
        }
        answer["PrimaryContainer"] = {
            name: value
            for name, value in answer["PrimaryContainer"].items()
            if value or name != "Environment"
        }
        return answer

    Model.response_object = property(response_object)


def patch_batch() -> None:
    """moto wants a service role named, where AWS makes and takes its service-linked one. It forgets
    how long a queue's jobs may wait."""

    @patched(BatchResponse, "createjobqueue")
    def remember(original: Original, self: Patched) -> Result:
        answer = original(self)
        queue = self.batch_backend.get_job_queue(json.loads(answer)["jobQueueArn"])
        queue.time_limits = self._get_param("jobStateTimeLimitActions") or []
        return answer

    @patched(JobQueue, "describe")
    def answer_time_limits(original: Original, self: Patched) -> Result:
        return {**original(self), "jobStateTimeLimitActions": self.time_limits}

    @patched(BatchBackend, "create_compute_environment")
    def create(original: Original, self: Patched, **settings: object) -> Result:
        if not settings["service_role"]:
            settings["service_role"] = service_linked_role(self.account_id, self.partition)
        return original(self, **settings)


def service_linked_role(account: str, partition: str) -> str:
    """ARN of Batch's service-linked role, which is made on first use."""
    backend = iam_backends[account][partition]
    path = "/aws-service-role/batch.amazonaws.com/"
    for role in backend.get_roles():
        if role.name == BATCH_SERVICE_ROLE:
            return role.arn
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "batch.amazonaws.com"},
            }
        ],
    }
    role = backend.create_role(
        BATCH_SERVICE_ROLE, json.dumps(trust), path, None, "", [], None, "batch.amazonaws.com"
    )
    return role.arn


def patch_ec2() -> None:
    """moto forgets what a security group's rule for another group or a prefix list is for, and
    takes a launch template's own tags for those of the machines it starts."""

    @patched(SecurityGroupRule, "__init__")
    def remember(original: Original, self: Patched, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)
        names = inspect.signature(original).bind(self, *args, **kwargs).arguments
        self.prefix_list = names.get("prefix_list_id") or {}

    def description(self: Patched) -> Result:
        sources = (self.ip_range, self.source_group, self.prefix_list)
        return next((each["Description"] for each in sources if "Description" in each), None)

    SecurityGroupRule.description = property(description)

    @patched(LaunchTemplate, "__init__")
    def separate(
        original: Original,
        self: Patched,
        backend: object,
        name: str,
        template_data: dict[str, Any],
        *args: object,
        **kwargs: object,
    ) -> None:
        tags = template_data.pop("TagSpecifications", [])
        machines = [each for each in tags if each["ResourceType"] != "launch-template"]
        template_data |= {"TagSpecifications": machines} if machines else {}
        original(self, backend, name, template_data, *args, **kwargs)


def patch_budgets() -> None:
    """moto has no DescribeSubscribersForNotification, and no tags on budgets."""

    @patched(BudgetsResponse, "create_budget")
    def remember(original: Original, self: Patched) -> Result:
        answer = original(self)
        budget = self.backend.budgets[self._get_param("AccountId")][
            self._get_param("Budget")["BudgetName"]
        ]
        budget.resource_tags = self._get_param("ResourceTags", [])
        return answer

    def list_tags_for_resource(self: Patched) -> Result:
        _, _, _, _, account, name = self._get_param("ResourceARN").split(":")
        budget = self.backend.budgets[account][name.removeprefix("budget/")]
        return json.dumps({"ResourceTags": budget.resource_tags})

    def describe_subscribers_for_notification(self: Patched) -> Result:
        budgets = self.backend.budgets[self._get_param("AccountId")]
        wanted = self._get_param("Notification")
        for kept in budgets[self._get_param("BudgetName")].notifications:
            if all(wanted[name] == value for name, value in kept.details.items()):
                return json.dumps({"Subscribers": kept.subscribers})
        raise JsonRESTError("NotFoundException", "Unable to get notification")

    BudgetsResponse.list_tags_for_resource = list_tags_for_resource
    BudgetsResponse.describe_subscribers_for_notification = describe_subscribers_for_notification


if __name__ == "__main__":
    # Nothing is to run: functions and jobs are remembered, not executed.
    default_user_config["lambda"]["use_docker"] = False
    default_user_config["batch"]["use_docker"] = False
    patch_lambda()
    patch_sagemaker()
    patch_batch()
    patch_ec2()
    patch_budgets()
    main()
