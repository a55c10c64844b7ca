resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_21:No versions: features and faces that are deleted must be gone. Every step can be repeated.
  #checkov:skip=CKV_AWS_144:No copies in another region: biometric data stays where it is, and every step can be repeated.
  #checkov:skip=CKV_AWS_18:Access is recorded by CloudTrail data events, which belong to the account and not to this module.
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

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
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
