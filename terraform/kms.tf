locals {
  kms_key_arn            = var.kms_key_arn == null ? one(aws_kms_key.this[*].arn) : var.kms_key_arn
  detections_kms_key_arn = var.detections_kms_key_arn == null ? one(aws_kms_key.detections[*].arn) : var.detections_kms_key_arn
  # Without one, SageMaker encrypts disks with a key that it throws away at once.
  volume_kms_key_arn = var.encrypt_volumes ? local.kms_key_arn : ""

  account_decides = {
    # AWS's default: who may use the key is then decided by the roles' policies. With less, a
    # key that cannot be managed any more is possible.
    Sid       = "AccountDecides"
    Effect    = "Allow"
    Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
    Action    = "kms:*"
    Resource  = "*"
  }
}

resource "aws_kms_key" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  description             = "Everything ${var.name} keeps"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      local.account_decides,
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*" } }
      },
      {
        Sid       = "AlarmsAndBudget"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # EventBridge does not tell for which account or rule it asks, so a condition would refuse it.
        Sid       = "FailedJobs"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
      },
      ], [for statement in [{
        Sid       = "Producers"
        Effect    = "Allow"
        Principal = { AWS = var.producer_arns }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    }] : statement if length(var.producer_arns) > 0])
  })
}

resource "aws_kms_alias" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this[0].key_id
}

# Features have a key of their own: whoever may use the other one, such as a backend or a producer,
# cannot read them even where a policy of the bucket is wrong.
resource "aws_kms_key" "detections" {
  count = var.detections_kms_key_arn == null ? 1 : 0

  description             = "Detections of ${var.name}, which hold biometric features"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags
  policy                  = jsonencode({ Version = "2012-10-17", Statement = [local.account_decides] })
}

resource "aws_kms_alias" "detections" {
  count = var.detections_kms_key_arn == null ? 1 : 0

  name          = "alias/${var.name}-detections"
  target_key_id = aws_kms_key.detections[0].key_id
}
