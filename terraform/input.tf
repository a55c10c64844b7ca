# Frames in other buckets, also of other accounts, that are read in place. The other account has to
# allow it, too: output `input_bucket_policies`.
locals {
  input_buckets = { for bucket in var.input_buckets : bucket.name => merge(bucket, { arn = "arn:${local.partition}:s3:::${bucket.name}" }) }

  list_inputs = [for name, bucket in local.input_buckets : {
    Effect   = "Allow"
    Action   = ["s3:ListBucket"]
    Resource = [bucket.arn]
    Condition = {
      StringEquals = { "aws:ResourceAccount" = bucket.account }
      StringLike   = { "s3:prefix" = ["${bucket.prefix}*"] }
    }
  }]

  read_inputs = concat(
    local.list_inputs,
    [for name, bucket in local.input_buckets : {
      Effect    = "Allow"
      Action    = ["s3:GetObject"]
      Resource  = ["${bucket.arn}/${bucket.prefix}*"]
      Condition = { StringEquals = { "aws:ResourceAccount" = bucket.account } }
    }],
    [for name, bucket in local.input_buckets : {
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [bucket.kms_key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    } if bucket.kms_key_arn != null],
  )

  input_roles = [for name in ["submit", "waiting", "model", "processing", "postprocess", "finish", "render"] : "arn:${local.partition}:iam::${local.account}:role/${local.role_prefix}-${name}"]

  input_bucket_policies = { for name, bucket in local.input_buckets : name => jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "FaceveilListsFrames"
        Effect    = "Allow"
        Principal = { AWS = local.input_roles }
        Action    = ["s3:ListBucket"]
        Resource  = [bucket.arn]
        Condition = { StringLike = { "s3:prefix" = ["${bucket.prefix}*"] } }
      },
      {
        Sid       = "FaceveilReadsFrames"
        Effect    = "Allow"
        Principal = { AWS = local.input_roles }
        Action    = ["s3:GetObject"]
        Resource  = ["${bucket.arn}/${bucket.prefix}*"]
      },
    ]
  }) }
}
