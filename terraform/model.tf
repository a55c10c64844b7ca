locals {
  # Models cannot be changed, only replaced: one that differs has another name.
  model_settings = local.deployed ? {
    image       = var.images.server
    data_url    = var.transform.data_url
    environment = var.transform.environment
    subnets     = local.own_subnets
  } : null
  model_name = local.deployed ? "${var.name}-${substr(sha256(jsonencode(local.model_settings)), 0, 12)}" : null
}

resource "aws_sagemaker_model" "this" {
  count = local.deployed ? 1 : 0

  name               = local.model_name
  execution_role_arn = aws_iam_role.this["model"].arn
  # SageMaker itself moves the frames and detections: the container has no way out.
  enable_network_isolation = true
  tags                     = local.tags

  primary_container {
    image          = var.images.server
    model_data_url = var.transform.data_url
    environment    = var.transform.environment
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [true] : []

    content {
      subnets            = local.own_subnets
      security_group_ids = aws_security_group.this[*].id
    }
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_iam_role_policy.this]
}
