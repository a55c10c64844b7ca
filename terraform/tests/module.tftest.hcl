# What the module makes of its variables. Nothing is asked of AWS: the provider is a stand-in.
# Run with `terraform init -backend=false && terraform test`.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_vpcs" {
    defaults = { ids = ["vpc-0000000000000000a"] }
  }
  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-0000000000000000a", "subnet-0000000000000000b"] }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/mock" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mock" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:mock" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:mock" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mock" }
  }
  mock_resource "aws_batch_compute_environment" {
    defaults = { arn = "arn:aws:batch:eu-west-1:123456789012:compute-environment/mock" }
  }
  mock_resource "aws_batch_job_definition" {
    defaults = { arn = "arn:aws:batch:eu-west-1:123456789012:job-definition/mock:1" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-00000000000000000", latest_version = 1 }
  }
}

variables {
  images = {
    server      = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/faceveil-server@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    postprocess = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/faceveil-postprocess@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
  }
}

run "first_apply_needs_no_images" {
  # The later runs go on with what this one has made.
  override_resource {
    target = aws_kms_key.detections
    values = { arn = "arn:aws:kms:eu-west-1:123456789012:key/d0000000-0000-0000-0000-000000000000" }
  }

  variables {
    images = null
  }

  assert {
    condition     = length(aws_lambda_function.this) == 0 && length(aws_sagemaker_model.this) == 0 && length(aws_cloudwatch_event_rule.function) == 0 && length(aws_s3_bucket_notification.this) == 0
    error_message = "Nothing that runs an image may be made before there are images."
  }
  assert {
    condition     = length(aws_ecr_repository.this) == 2 && aws_s3_bucket.this.bucket == "faceveil-123456789012-eu-west-1"
    error_message = "The registry and the bucket come first."
  }
}

run "defaults" {
  assert {
    condition     = toset(keys(aws_lambda_function.this)) == toset(["submit", "postprocess", "finish", "sweep", "waiting"]) && alltrue([for function in aws_lambda_function.this : function.image_uri == var.images.postprocess])
    error_message = "Five functions of one image."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.memory_size <= 3008 && function.reserved_concurrent_executions == -1])
    error_message = "The defaults are what a new account allows: functions of at most 3008 MB, no concurrency reserved."
  }
  assert {
    condition     = length(distinct([for function in aws_iam_role.this : function.name])) == 9
    error_message = "Each of the nine things that run has a role of its own."
  }
  assert {
    condition     = aws_lambda_function.this["finish"].environment[0].variables.FACEVEIL_BATCH_QUEUE == "arn:aws:batch:eu-west-1:123456789012:job-queue/faceveil-render" && aws_lambda_function.this["finish"].image_config[0].command == tolist(["postprocess_lambda.finish.handler"])
    error_message = "The finish function may send long work to Batch."
  }
  assert {
    condition     = contains(jsondecode(aws_batch_job_definition.render[0].container_properties).environment[*].name, "AWS_REGION")
    error_message = "Machines of Batch do not know their region."
  }
  assert {
    condition     = aws_lambda_function.this["submit"].environment[0].variables.FACEVEIL_MODEL_NAME == aws_sagemaker_model.this[0].name
    error_message = "The submit function is told the model."
  }
  assert {
    condition     = aws_lambda_function.this["postprocess"].environment[0].variables.FACEVEIL_MODEL_NAME == aws_sagemaker_model.this[0].name && !contains(keys(aws_lambda_function.this["finish"].environment[0].variables), "FACEVEIL_MODEL_NAME")
    error_message = "The function that starts a second look is told the model, too; no other is."
  }
  assert {
    condition     = { for name, rule in aws_cloudwatch_event_rule.schedule : name => rule.schedule_expression } == { sweep = "rate(6 hours)", waiting = "rate(5 minutes)" } && aws_lambda_function.this["waiting"].environment[0].variables.FACEVEIL_FALLBACK_TYPES == "" && alltrue([for config in aws_lambda_function_event_invoke_config.this : config.maximum_event_age_in_seconds == 21600])
    error_message = "Jobs that found no machines are tried again every few minutes; events of a burst wait for hours."
  }
  assert {
    condition     = aws_sagemaker_model.this[0].enable_network_isolation && length(aws_sagemaker_model.this[0].vpc_config) == 0
    error_message = "The model's container has no way out."
  }
  assert {
    condition     = toset([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id]) == toset(["unfinished-uploads", "expire-detections", "expire-frames", "expire-searches"])
    error_message = "Detections, frames and what a killed search left expire, outputs stay."
  }
  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "expire-detections"]).expiration[0].days == 7
    error_message = "Detections expire after seven days."
  }
  assert {
    condition     = [for environment in aws_batch_job_queue.render.compute_environment_order : environment.order] == [1, 2] && toset([for environment in aws_batch_compute_environment.render : environment.compute_resources[0].type]) == toset(["FARGATE_SPOT", "FARGATE"])
    error_message = "Spare Fargate capacity first, then what is always there."
  }
  assert {
    condition     = one(aws_s3_bucket_notification.this[0].lambda_function).filter_prefix == "jobs/" && one(aws_s3_bucket_notification.this[0].lambda_function).filter_suffix == "/job.json" && aws_s3_bucket_notification.this[0].eventbridge != true
    error_message = "A job starts with its job.json; S3 tells of no other object."
  }
  assert {
    condition     = aws_lambda_permission.bucket[0].principal == "s3.amazonaws.com" && aws_lambda_permission.bucket[0].source_account == "123456789012" && aws_lambda_permission.bucket[0].source_arn == "arn:aws:s3:::faceveil-123456789012-eu-west-1"
    error_message = "Only this account's bucket may call the submit function."
  }
  assert {
    condition     = { for limit in aws_batch_job_queue.render.job_state_time_limit_action : limit.reason => limit.max_time_seconds if limit.state == "RUNNABLE" && limit.action == "CANCEL" } == { "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY" = 14400, "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE" = 600, "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT" = 600 }
    error_message = "A chunk that no machine takes does not wait for ever."
  }
  assert {
    condition     = jsondecode(aws_batch_job_definition.render[0].container_properties).user == "1000" && jsondecode(aws_batch_job_definition.render[0].container_properties).ephemeralStorage.sizeInGiB == 60
    error_message = "Rendering does not run as root, and has a disk for a long video."
  }
  assert {
    condition     = alltrue([for policy in [aws_sns_topic_policy.alarms.policy, aws_kms_key.this[0].policy] : length([for statement in jsondecode(policy).Statement : statement if contains(flatten([try(statement.Principal.Service, [])]), "events.amazonaws.com")]) == 1])
    error_message = "EventBridge has one statement in the policies of the topic and of its key."
  }
  assert {
    condition     = alltrue([for policy in [aws_sns_topic_policy.alarms.policy, aws_kms_key.this[0].policy] : alltrue([for statement in jsondecode(policy).Statement : !contains(keys(statement), "Condition") && statement.Principal.Service == "events.amazonaws.com" if contains(flatten([try(statement.Principal.Service, [])]), "events.amazonaws.com")])])
    error_message = "EventBridge publishes under no condition: it supports none for topics and their keys."
  }
  assert {
    condition     = one(aws_budgets_budget.this).cost_filter == toset([{ name = "TagKeyValue", values = tolist(["user:faceveil:deployment$faceveil"]) }])
    error_message = "The budget counts what carries the deployment's tag."
  }
  assert {
    condition     = alltrue([for name in ["dead-letters-arrivals", "failures-arrivals"] : aws_cloudwatch_metric_alarm.this[name].metric_name == "NumberOfMessagesSent" && aws_cloudwatch_metric_alarm.this[name].statistic == "Sum"]) && !contains([for alarm in aws_cloudwatch_metric_alarm.this : alarm.metric_name], "ApproximateNumberOfMessagesVisible")
    error_message = "An alarm on what arrives tells of each failure; one on the depth stays in ALARM."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this["transform"].name == "/aws/sagemaker/TransformJobs" && aws_cloudwatch_log_group.this["processing"].name == "/aws/sagemaker/ProcessingJobs" && alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 365 && group.kms_key_id != null])
    error_message = "Every log, SageMaker's own included, is encrypted and expires."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.function["postprocess"].event_pattern).detail.TransformOutput.S3OutputPath[0].prefix == "s3://faceveil-123456789012-eu-west-1/" && !contains(keys(jsondecode(aws_cloudwatch_event_rule.function["postprocess"].event_pattern).detail), "ModelName")
    error_message = "A transform job is told by the bucket it writes to: model names of deployments may begin alike."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.function["postprocess"].event_pattern).detail.TransformJobName == [{ prefix = "faceveil--" }] && jsondecode(aws_cloudwatch_event_rule.function["processing"].event_pattern).detail.ProcessingJobName == [{ prefix = "faceveil--" }] && alltrue([for name in ["submit", "postprocess", "waiting"] : aws_lambda_function.this[name].environment[0].variables.FACEVEIL_DEPLOYMENT == "faceveil"])
    error_message = "Names of SageMaker's jobs begin with the deployment's, in rules and in what the functions are told."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.environment[0].variables.FACEVEIL_DETECTIONS_KMS_KEY == aws_kms_key.detections[0].arn && function.environment[0].variables.FACEVEIL_KMS_KEY == aws_kms_key.this[0].arn]) && aws_kms_key.detections[0].arn != aws_kms_key.this[0].arn && aws_kms_key.detections[0].enable_key_rotation
    error_message = "Detections have a key of their own."
  }
  assert {
    condition     = anytrue([for variable in jsondecode(aws_batch_job_definition.render[0].container_properties).environment : variable.name == "FACEVEIL_DETECTIONS_KMS_KEY" && variable.value == aws_kms_key.detections[0].arn])
    error_message = "What renders in Batch writes features of photos with that key, too."
  }
  assert {
    condition = alltrue([for name in ["submit", "postprocess", "waiting"] : aws_lambda_function.this[name].environment[0].variables.FACEVEIL_VOLUME_KMS_KEY == aws_kms_key.this[0].arn]) && alltrue([for name in ["submit", "postprocess", "waiting", "model", "processing"] : length([
      for statement in jsondecode(aws_iam_role_policy.this[name].policy).Statement : statement
      if statement.Sid == "EncryptVolumes" && statement.Action == ["kms:CreateGrant"] && statement.Resource == [aws_kms_key.this[0].arn] && try(statement.Condition.Bool["kms:GrantIsForAWSResource"], "") == "true"
    ]) == 1])
    error_message = "Disks of SageMaker's instances are encrypted with the deployment's key, which is granted only to AWS's own resources."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.function["again"].event_pattern == jsonencode({ source = ["faceveil"], detail-type = ["FaceVeil Job Submitted"], detail = { bucket = ["faceveil-123456789012-eu-west-1"], transform_job = [null] } }) && strcontains(aws_cloudwatch_event_rule.function["again"].description, "faceveil-postprocess")
    error_message = "A job over detections that exist goes on to post-processing at once."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "notBreaching" && length(alarm.alarm_actions) == 1]) && length(aws_cloudwatch_metric_alarm.this) == 13
    error_message = "Thirteen alarms that send a message, and are quiet while nothing runs."
  }
  assert {
    condition     = strcontains(output.backend_policy, "jobs/*/job.json") && alltrue([for statement in jsondecode(output.backend_policy).Statement : !contains(statement.Action, "s3:GetObject") || !anytrue([for resource in statement.Resource : strcontains(resource, "detections/")])])
    error_message = "A backend may start jobs and see no features."
  }
  assert {
    condition     = length(aws_cloudtrail.data_events) == 0 && length(jsondecode(aws_s3_bucket_policy.this.policy).Statement) == 2
    error_message = "No trail and no other account unless they are named."
  }
  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_sagemaker_notebook_instance.this) == 0 && length(aws_launch_template.render) == 0
    error_message = "What costs money at rest is made on request only."
  }
}

run "private_network" {
  variables {
    name                   = "private"
    kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
    network                = { create = true }
    rendering              = { platform = "EC2" }
    retention              = { outputs_days = 90 }
    notebook_instance_type = "ml.t3.medium"
    monthly_budget_usd     = null
    encrypt_volumes        = false
    detections_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-2222-2222-222222222222"

    manage_sagemaker_logs    = false
    detection_reader_arns    = ["arn:aws:iam::123456789012:role/auditor"]
    producer_arns            = ["arn:aws:iam::210987654321:role/newsroom"]
    data_events_bucket       = "the-accounts-logs"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = { for resource in jsondecode(aws_batch_job_definition.render[0].container_properties).resourceRequirements : resource.type => resource.value } == { VCPU = "4", MEMORY = "7000" } && !contains(keys(jsondecode(aws_batch_job_definition.render[0].container_properties)), "ephemeralStorage")
    error_message = "A chunk fits on a machine of 8 GiB, of which the system takes a part."
  }
  assert {
    condition     = !anytrue([for group in aws_cloudwatch_log_group.this : startswith(group.name, "/aws/sagemaker/")])
    error_message = "SageMaker's log groups are left to the deployment that manages them."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"])
    error_message = "A permissions boundary bounds every role."
  }
  assert {
    condition     = length(setintersection([for rule in aws_cloudwatch_event_rule.function : rule.name], [for suffix in ["postprocess", "again", "finish"] : "faceveil-${suffix}"])) == 0 && length(setintersection([for role in aws_iam_role.this : role.name], [for suffix in ["submit", "postprocess", "finish", "sweep", "model"] : "faceveil-eu-west-1-${suffix}"])) == 0
    error_message = "Two deployments of one account and region share no name."
  }
  assert {
    condition     = aws_lambda_function.this["submit"].environment[0].variables.FACEVEIL_VOLUME_KMS_KEY == "" && aws_lambda_function.this["submit"].environment[0].variables.FACEVEIL_DETECTIONS_KMS_KEY == var.detections_kms_key_arn && !anytrue([for policy in aws_iam_role_policy.this : strcontains(policy.policy, "kms:CreateGrant")])
    error_message = "Keys of one's own are taken, and disks may be left to SageMaker's passing keys."
  }
  assert {
    condition     = aws_subnet.this[*].availability_zone == ["eu-west-1a", "eu-west-1b"] && length(aws_vpc_endpoint.interface) == 11 && length(aws_kms_key.this) == 0 && length(aws_kms_key.detections) == 0
    error_message = "Two zones, the endpoints that functions, Batch and a notebook need, no second key."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : length(function.vpc_config) == 1]) && length(aws_sagemaker_model.this[0].vpc_config) == 1
    error_message = "Functions and transforms are in the VPC."
  }
  assert {
    condition     = toset([for environment in aws_batch_compute_environment.render : environment.compute_resources[0].type]) == toset(["SPOT", "EC2"]) && one(aws_launch_template.render).metadata_options[0].http_tokens == "required"
    error_message = "Spot machines first, with the metadata service that needs a token."
  }
  assert {
    condition     = one(aws_sagemaker_notebook_instance.this).direct_internet_access == "Disabled" && one(aws_sagemaker_notebook_instance.this).root_access == "Disabled"
    error_message = "The notebook has no way to the internet and no root."
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this.rule) == 5 && length(aws_budgets_budget.this) == 0
    error_message = "Outputs expire on request; a budget can be left out."
  }
}

run "governance" {
  command = plan

  variables {
    producer_arns      = ["arn:aws:iam::210987654321:role/newsroom"]
    data_events_bucket = "the-accounts-logs"
  }

  assert {
    condition     = one(one(aws_cloudtrail.data_events[0].event_selector).data_resource).values == tolist(["arn:aws:s3:::faceveil-123456789012-eu-west-1/"]) && !one(aws_cloudtrail.data_events[0].event_selector).include_management_events
    error_message = "The trail records the bucket's objects and nothing else."
  }
}

run "frames_of_another_account" {
  variables {
    network       = { create = true }
    input_buckets = [{ name = "news-raw", account = "210987654321", prefix = "clips/", kms_key_arn = "arn:aws:kms:eu-west-1:210987654321:key/33333333-3333-3333-3333-333333333333" }]
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.environment[0].variables.FACEVEIL_INPUT_BUCKETS == "news-raw=210987654321"]) && output.input_buckets == { news-raw = "210987654321" }
    error_message = "What reads frames is told whose bucket it must be."
  }
  assert {
    condition     = jsondecode(output.input_bucket_policies["news-raw"]).Statement[1].Resource == ["arn:aws:s3:::news-raw/clips/*"] && alltrue([for arn in jsondecode(output.input_bucket_policies["news-raw"]).Statement[1].Principal.AWS : contains([for role in aws_iam_role.this : "arn:aws:iam::123456789012:role/${role.name}"], arn)])
    error_message = "The other account is told which roles to let read, and below which prefix."
  }
  assert {
    condition     = one([for statement in jsondecode(aws_vpc_endpoint.s3[0].policy).Statement : statement if statement.Sid == "InputBuckets"]).Resource == ["arn:aws:s3:::news-raw", "arn:aws:s3:::news-raw/clips/*"]
    error_message = "The private network lets them through."
  }
}

run "refuses_input_buckets_of_nobody" {
  command = plan
  variables {
    input_buckets = [{ name = "News_Raw", account = "me" }, { name = "b-b", account = "210987654321", prefix = "*/" }]
  }
  expect_failures = [var.input_buckets]
}

run "refuses_principals_with_wildcards" {
  command = plan
  variables {
    producer_arns         = ["arn:aws:iam::210987654321:role/*"]
    detection_reader_arns = ["*"]
  }
  expect_failures = [var.producer_arns, var.detection_reader_arns]
}

run "network_of_ones_own" {
  command = plan

  variables {
    network = { subnet_ids = ["subnet-0000000000000000c"] }
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(data.aws_vpcs.default) == 0 && alltrue([for function in aws_lambda_function.this : function.vpc_config[0].subnet_ids == toset(["subnet-0000000000000000c"])])
    error_message = "Functions run in the subnets that are given; no VPC is made or looked for."
  }
  assert {
    condition     = alltrue([for environment in aws_batch_compute_environment.render : environment.compute_resources[0].subnets == toset(["subnet-0000000000000000c"])])
    error_message = "Rendering runs in them too."
  }
}

run "another_image_is_another_model" {
  command = plan

  variables {
    transform = { environment = { FACEVEIL_DETECTOR = "centerface" } }
  }

  assert {
    condition     = aws_sagemaker_model.this[0].name != run.defaults.model_name && startswith(aws_sagemaker_model.this[0].name, "faceveil-")
    error_message = "Models cannot be changed, so a model that differs needs another name."
  }
}

run "refuses_bad_names" {
  command = plan
  variables {
    name        = "Face_Veil"
    bucket_name = "No.Such.Bucket"
    kms_key_arn = "alias/my-key"

    detections_kms_key_arn = "my-key"
  }
  expect_failures = [var.name, var.bucket_name, var.kms_key_arn, var.detections_kms_key_arn]
}

run "refuses_images_by_tag" {
  command = plan
  variables {
    images = { server = "example/server@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", postprocess = "example/postprocess@latest" }
  }
  expect_failures = [var.images]
}

run "refuses_features_that_stay" {
  command = plan
  variables {
    retention = { detections_days = 365 }
  }
  expect_failures = [var.retention]
}

run "refuses_unknown_log_period" {
  command = plan
  variables {
    retention = { logs_days = 8 }
  }
  expect_failures = [var.retention]
}

run "refuses_bad_transforms" {
  command = plan
  variables {
    transform              = { instance_type = "c5.xlarge", instance_count = 0, environment = { PATH = "/" } }
    notebook_instance_type = "t3.medium"
    reserved_concurrency   = 0
    postprocess            = { memory_mb = 20000, timeout_seconds = 3600 }
    alarm_emails           = ["nobody"]
    monthly_budget_usd     = 0
  }
  expect_failures = [var.transform, var.notebook_instance_type, var.reserved_concurrency, var.postprocess, var.alarm_emails, var.monthly_budget_usd]
}

run "refuses_sizes_that_fargate_lacks" {
  command = plan
  variables {
    rendering = { vcpus = 4, memory_mb = 4096 }
  }
  expect_failures = [var.rendering]
}

run "refuses_chunks_that_no_machine_holds" {
  command = plan
  variables {
    rendering = { platform = "EC2", memory_mb = 8192 }
  }
  expect_failures = [aws_batch_compute_environment.render]
}

run "larger_machines_hold_larger_chunks" {
  command = plan
  variables {
    rendering = { platform = "EC2", memory_mb = 28000, vcpus = 8, instance_types = ["m6i.2xlarge", "r6a.2xlarge", "c7i-flex.4xlarge"] }
  }

  assert {
    condition     = { for type, machine in local.machines : type => machine.vcpus } == { "m6i.2xlarge" = 8, "r6a.2xlarge" = 8, "c7i-flex.4xlarge" = 16 }
    error_message = "Sizes are read from the names of machines."
  }
}

run "refuses_machines_of_unknown_size" {
  command = plan
  variables {
    rendering = { platform = "EC2", instance_types = ["optimal"] }
  }
  expect_failures = [aws_batch_compute_environment.render]
}

run "names_what_to_do_without_a_default_vpc" {
  command = plan

  override_data {
    target = data.aws_vpcs.default
    values = { ids = [] }
  }

  expect_failures = [data.aws_subnets.default]
}

run "example_minimal" {
  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = output.faceveil.bucket == "faceveil-123456789012-eu-west-1"
    error_message = "The examples pass everything on as one object."
  }
}

run "example_vpc" {
  module {
    source = "./examples/vpc"
  }

  assert {
    condition     = output.faceveil.bucket == "faceveil-private-123456789012-eu-west-1"
    error_message = "The examples pass everything on as one object."
  }
}

run "refuses_unknown_platforms" {
  command = plan
  variables {
    rendering = { platform = "EKS" }
    network   = { create = true, subnet_ids = ["subnet-0000000000000000a"], zones = ["a", "a"] }
  }
  expect_failures = [var.rendering, var.network]
}

run "refuses_a_notebook_without_a_network" {
  command = plan
  variables {
    notebook_instance_type = "ml.t3.medium"
  }
  expect_failures = [var.notebook_instance_type]
}

run "processing_jobs" {
  variables {
    name    = "veil"
    network = { create = true }
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.function["processing"].event_pattern).detail.RoleArn == ["arn:aws:iam::123456789012:role/veil-eu-west-1-processing"] && endswith(local.processing_role_arn, "/${aws_iam_role.this["processing"].name}")
    error_message = "Ends of Processing jobs are told by the role, which no other deployment has."
  }
  assert {
    condition     = aws_cloudwatch_event_target.function["processing"].arn == aws_lambda_function.this["postprocess"].arn && contains(local.rule_names, "veil-processing")
    error_message = "The end of a Processing job starts post-processing, and what is not delivered is kept."
  }
  assert {
    condition = alltrue([for name in ["submit", "postprocess", "waiting"] :
      aws_lambda_function.this[name].environment[0].variables.FACEVEIL_PROCESSING_IMAGE == var.images.postprocess &&
      aws_lambda_function.this[name].environment[0].variables.FACEVEIL_PROCESSING_ROLE == local.processing_role_arn
    ])
    error_message = "What creates Processing jobs is told image and role."
  }
  assert {
    condition     = !contains(keys(aws_lambda_function.this["finish"].environment[0].variables), "FACEVEIL_PROCESSING_ROLE")
    error_message = "No other function creates them."
  }
  assert {
    condition = alltrue([for name in ["submit", "postprocess", "waiting"] : length([
      for statement in jsondecode(aws_iam_role_policy.this[name].policy).Statement : statement
      if statement.Sid == "PassProcessingRole" && try(statement.Condition.StringEquals["iam:PassedToService"], "") == "sagemaker.amazonaws.com" && statement.Resource == [local.processing_role_arn]
    ]) == 1])
    error_message = "They may pass that role, only that, and only to SageMaker."
  }
  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.this["postprocess"].policy).Statement : statement if statement.Sid == "StartProcessing"]).Resource == ["arn:aws:sagemaker:eu-west-1:123456789012:processing-job/veil--*-render*"]
    error_message = "After detection only the rendering is started."
  }
  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.this["processing"].policy).Statement : statement if statement.Sid == "Publish" || contains(flatten([statement.Action]), "s3:DeleteObject") && statement.Effect == "Allow"]) == 0
    error_message = "A Processing job announces nothing and deletes nothing."
  }
}
