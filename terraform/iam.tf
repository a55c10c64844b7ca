# One role for each thing that runs, each with the least it needs. What roles may do is written as
# lists of statements, so that a plan shows it and tests/terraform can read it.

locals {
  role_prefix = "${var.name}-${local.region}"

  # The service that assumes each role, and whether it names the account: Lambda and EC2 do not.
  role_services = merge(
    {
      submit       = { service = "lambda", tells_account = false }
      postprocess  = { service = "lambda", tells_account = false }
      finish       = { service = "lambda", tells_account = false }
      sweep        = { service = "lambda", tells_account = false }
      waiting      = { service = "lambda", tells_account = false }
      model        = { service = "sagemaker", tells_account = true }
      processing   = { service = "sagemaker", tells_account = true }
      render       = { service = "ecs-tasks", tells_account = true }
      render-start = { service = "ecs-tasks", tells_account = true }
    },
    local.fargate ? {} : { render-machine = { service = "ec2", tells_account = false } },
    var.network.create ? { flow-logs = { service = "vpc-flow-logs", tells_account = true } } : {},
    var.notebook_instance_type == null ? {} : { notebook = { service = "sagemaker", tells_account = true } },
  )
}

resource "aws_iam_role" "this" {
  for_each = local.role_services

  name                 = "${local.role_prefix}-${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      {
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "${each.value.service}.amazonaws.com" }
      },
      { for key, value in { Condition = { StringEquals = { "aws:SourceAccount" = local.account } } } : key => value if each.value.tells_account },
    )]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.role_services

  name   = each.key
  role   = aws_iam_role.this[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.role_statements[each.key] })
}
