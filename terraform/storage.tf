resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_21:No versions: features and faces that are deleted must be gone. Every step can be repeated.
  #checkov:skip=CKV_AWS_144:No copies in another region: biometric data stays where it is, and every step can be repeated.
  #checkov:skip=CKV_AWS_18:Access is recorded by CloudTrail data events (var.data_events_bucket).
  bucket        = local.bucket_name
  force_destroy = var.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # One request to the key for many objects: without it KMS costs more than S3.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.kms_key_arn
    }
  }
}

locals {
  # What makes and uses features. Any other principal of the account, administrators included, would
  # have to change the bucket's policy first, which CloudTrail records.
  detection_roles = [
    for name in ["model", "postprocess", "finish", "waiting", "render", "processing", "notebook"] :
    "arn:${local.partition}:iam::${local.account}:role/${local.role_prefix}-${name}" if contains(keys(local.role_services), name)
  ]
  # Principals of other accounts that bring jobs, and what they may do with a part of the keys.
  producer_statements = [for statement in [
    {
      Sid      = "ProducersBringJobs"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = ["${local.frames_arn}*", "${local.jobs_arn}*/job.json", "${local.jobs_arn}*/corrections*", "${local.jobs_arn}*/references/*", "${local.jobs_arn}*/source/*"]
    },
    {
      Sid      = "ProducersReadResults"
      Action   = ["s3:GetObject"]
      Resource = ["${local.jobs_arn}*"]
    },
  ] : merge(statement, { Effect = "Allow", Principal = { AWS = var.producer_arns } }) if length(var.producer_arns) > 0]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["s3:*"]
          Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          # Deleting them is not denied: features must be gone when a person asks for it.
          Sid       = "FeaturesOnlyForTheirRoles"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["s3:GetObject", "s3:PutObject"]
          Resource  = ["${local.detections_arn}*"]
          Condition = { ArnNotLike = { "aws:PrincipalArn" = concat(local.detection_roles, var.detection_reader_arns) } }
        },
      ],
      local.producer_statements,
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  expiry_days = {
    detections = var.retention.detections_days
    frames     = var.retention.frames_days
    jobs       = var.retention.outputs_days
    # A video is deleted after its search; this is for the searches that were killed.
    searches = 1
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = { for name, days in local.expiry_days : name => days if days != null }

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = local.prefixes[rule.key]
      }

      expiration {
        days = rule.value
      }
    }
  }
}

# Who read or wrote which object, into a bucket of logs that the account has.
resource "aws_cloudtrail" "data_events" {
  count = var.data_events_bucket == null ? 0 : 1

  name                       = "${var.name}-data-events"
  s3_bucket_name             = var.data_events_bucket
  enable_log_file_validation = true
  kms_key_id                 = var.data_events_key_arn
  tags                       = local.tags

  event_selector {
    read_write_type           = "All"
    include_management_events = false

    data_resource {
      type   = "AWS::S3::Object"
      values = ["${local.bucket_arn}/"]
    }
  }
}
