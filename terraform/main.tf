# faceveil in AWS: what each file makes is in README.md.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  tags      = merge(var.tags, { "faceveil:deployment" = var.name })

  # Nothing that runs an image exists before the images do.
  deployed = var.images != null

  bucket_name = coalesce(var.bucket_name, "${var.name}-${local.account}-${local.region}")
  # Lifecycle rules match beginnings of keys only, so what expires at another time has its own.
  prefixes = {
    jobs       = "jobs/"
    frames     = "frames/"
    detections = "detections/"
    searches   = "face-search/"
  }

  # ARNs are put together here rather than read from the resources, so that a plan shows whole
  # policies and reviewers and tests can read them before anything exists.
  bucket_arn         = "arn:${local.partition}:s3:::${local.bucket_name}"
  jobs_arn           = "${local.bucket_arn}/${local.prefixes.jobs}"
  frames_arn         = "${local.bucket_arn}/${local.prefixes.frames}"
  detections_arn     = "${local.bucket_arn}/${local.prefixes.detections}"
  dead_letters_arn   = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-dead-letters"
  failures_arn       = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-failures"
  alarms_arn         = "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-alarms"
  event_bus_arn      = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"
  job_queue_arn      = "arn:${local.partition}:batch:${local.region}:${local.account}:job-queue/${var.name}-render"
  job_definition_arn = "arn:${local.partition}:batch:${local.region}:${local.account}:job-definition/${var.name}-render"
  # A model's name ends in twelve digits: models of a deployment whose name begins alike do not match.
  model_arns = "arn:${local.partition}:sagemaker:${local.region}:${local.account}:model/${var.name}-????????????"
  # No deployment's name holds two hyphens: `NAME--` begins the names of its SageMaker jobs only.
  job_name_prefix = "${var.name}--"
  transform_arns  = "arn:${local.partition}:sagemaker:${local.region}:${local.account}:transform-job/${local.job_name_prefix}*"
  repository_arns = { for name in local.repositories : name => "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${var.name}-${name}" }
}
