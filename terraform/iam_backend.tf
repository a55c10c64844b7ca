# What a backend needs: bring frames, photos and job.json, and read what came of them. Detections,
# which hold the features, are not for it; it may count them.
locals {
  backend_statements = concat([
    {
      Sid      = "BringJobs"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = ["${local.frames_arn}*", "${local.jobs_arn}*/job.json", "${local.jobs_arn}*/corrections*", "${local.jobs_arn}*/references/*", "${local.jobs_arn}*/source/*"]
    },
    {
      Sid      = "ReadResults"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${local.frames_arn}*", "${local.jobs_arn}*"]
    },
    {
      Sid       = "ListJobs"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [local.bucket_arn]
      Condition = { StringLikeIfExists = { "s3:prefix" = ["${local.prefixes.detections}*", "${local.prefixes.frames}*", "${local.prefixes.jobs}*"] } }
    },
    {
      Sid      = "WatchSageMakerJobs"
      Effect   = "Allow"
      Action   = ["sagemaker:DescribeProcessingJob", "sagemaker:DescribeTransformJob"]
      Resource = [local.processing_arns, local.transform_arns]
    },
    local.allow_keys.s3,
  ], local.read_inputs)
}
