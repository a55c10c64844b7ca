# SageMaker Processing jobs, for what is submitted with `--as processing`: the post-processing image,
# which holds the networks, without a way out. SageMaker itself moves what the image reads and writes.
locals {
  processing_arns     = "arn:${local.partition}:sagemaker:${local.region}:${local.account}:processing-job/${local.job_name_prefix}*"
  processing_role_arn = "arn:${local.partition}:iam::${local.account}:role/${local.role_prefix}-processing"

  processing_environment = local.deployed ? {
    FACEVEIL_PROCESSING_IMAGE           = var.images.postprocess
    FACEVEIL_PROCESSING_ROLE            = local.processing_role_arn
    FACEVEIL_PROCESSING_SUBNETS         = local.in_vpc ? join(",", local.own_subnets) : ""
    FACEVEIL_PROCESSING_SECURITY_GROUPS = join(",", aws_security_group.this[*].id)
  } : {}

  processing_ended = {
    source      = ["aws.sagemaker"]
    detail-type = ["SageMaker Processing Job State Change"]
    detail = {
      ProcessingJobStatus = ["Completed", "Failed", "Stopped"]
      ProcessingJobName   = [{ prefix = local.job_name_prefix }]
      RoleArn             = [local.processing_role_arn]
    }
  }

  # After detection only the rendering is started.
  start_processing = { for name, arns in { submit = local.processing_arns, postprocess = "${local.processing_arns}-render*" } : name => [
    {
      Sid      = "StartProcessing"
      Effect   = "Allow"
      Action   = ["sagemaker:AddTags", "sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob"]
      Resource = [arns]
    },
    {
      Sid       = "PassProcessingRole"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = [local.processing_role_arn]
      Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
    },
  ] }

  # What SageMaker does in the name of the role; the container itself reaches nothing.
  processing_statements = concat(
    [
      local.allow_list_strictly.jobs, local.allow_list_strictly.frames, local.allow_list_strictly.detections,
      local.allow_read.jobs, local.allow_read.frames, local.allow_read.detections,
      {
        Sid      = "WriteResults"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${local.jobs_arn}*", "${local.detections_arn}*"]
      },
      local.deny_starting_jobs,
      local.allow_keys.s3, local.allow_detections_key,
    ],
    local.read_inputs, local.allow_volumes, local.pull_image.postprocess, local.sagemaker_logs.Processing, local.interfaces.sagemaker,
  )
}
