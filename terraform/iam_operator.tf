# What the people need who run the deployment with `faceveil aws`: watch, stop, cleanup, redrive and
# face-search, doctor and costs. It adds to a backend's rights; neither reads features.
locals {
  queue_arns = [local.dead_letters_arn, local.failures_arn]

  operator_statements = concat([
    {
      Sid       = "ListEverything"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [local.bucket_arn]
      Condition = { StringLikeIfExists = { "s3:prefix" = [for prefix in values(local.prefixes) : "${prefix}*"] } }
    },
    {
      Sid      = "ReadJobs"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${local.frames_arn}*", "${local.jobs_arn}*"]
    },
    {
      Sid      = "CleanUp"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject"]
      Resource = ["${local.detections_arn}*", "${local.frames_arn}*", "${local.jobs_arn}*"]
    },
    {
      # A job that is stopped is marked as failed, and its end is announced. One that is tried again
      # is put among those that wait for machines.
      Sid      = "MarkStoppedOrWaiting"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${local.jobs_arn}*/error.json", "${local.jobs_arn}.ended/*", "${local.jobs_arn}.waiting/*"]
    },
    local.allow_publish,
    {
      Sid      = "StopSageMakerJobs"
      Effect   = "Allow"
      Action   = ["sagemaker:DescribeProcessingJob", "sagemaker:DescribeTransformJob", "sagemaker:StopProcessingJob", "sagemaker:StopTransformJob"]
      Resource = [local.processing_arns, local.transform_arns]
    },
    {
      Sid       = "StopBatch"
      Effect    = "Allow"
      Action    = ["batch:TerminateJob"]
      Resource  = ["arn:${local.partition}:batch:${local.region}:${local.account}:job/*"]
      Condition = { StringLike = { "aws:ResourceTag/faceveil:job-id" = "*" } }
    },
    {
      Sid      = "TakeFromQueues"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
      Resource = local.queue_arns
    },
    {
      Sid      = "SendEventsAgain"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [for name in keys(local.handlers) : "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-${name}"]
    },
    {
      Sid      = "BringVideoToSearch"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      Resource = ["${local.bucket_arn}/${local.prefixes.searches}*"]
    },
    {
      Sid      = "SearchFaces"
      Effect   = "Allow"
      Action   = ["rekognition:CreateCollection", "rekognition:DeleteCollection", "rekognition:IndexFaces", "rekognition:StartFaceSearch"]
      Resource = ["arn:${local.partition}:rekognition:${local.region}:${local.account}:collection/faceveil-*"]
    },
    {
      # This action cannot be limited to a collection.
      Sid      = "ReadSearches"
      Effect   = "Allow"
      Action   = ["rekognition:GetFaceSearch"]
      Resource = ["*"]
    },
    {
      # None of these actions can be limited to a resource.
      Sid    = "CheckAccount"
      Effect = "Allow"
      Action = [
        "batch:DescribeComputeEnvironments", "batch:DescribeJobQueues", "ce:GetCostAndUsage", "ce:ListCostAllocationTags",
        "ec2:DescribeVpcs", "lambda:GetAccountSettings", "servicequotas:ListAWSDefaultServiceQuotas", "servicequotas:ListServiceQuotas",
      ]
      Resource = ["*"]
    },
    {
      Sid    = "CheckDeployment"
      Effect = "Allow"
      Action = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "iam:GetRole", "lambda:GetFunction", "sagemaker:DescribeModel", "sns:ListSubscriptionsByTopic"]
      Resource = concat(
        values(local.repository_arns),
        [for name in keys(local.handlers) : "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-${name}"],
        ["arn:${local.partition}:iam::${local.account}:role/aws-service-role/*", local.model_arns, local.alarms_arn],
      )
    },
    local.allow_keys.s3,
  ], local.list_inputs)
}
