locals {
  # Whether functions and transforms run in a VPC too.
  in_vpc      = var.network.create || length(var.network.subnet_ids) > 0
  own_subnets = var.network.create ? aws_subnet.this[*].id : var.network.subnet_ids
  subnets     = local.in_vpc ? local.own_subnets : one(data.aws_subnets.default[*].ids)
  vpc_id      = var.network.create ? one(aws_vpc.this[*].id) : local.in_vpc ? one(data.aws_subnet.given[*].vpc_id) : one(flatten(data.aws_vpcs.default[*].ids))

  endpoints = var.network.create ? concat(
    ["batch", "ecr.api", "ecr.dkr", "events", "logs", "sagemaker.api"],
    local.fargate ? [] : ["ecs", "ecs-agent", "ecs-telemetry"],
    var.notebook_instance_type == null ? [] : ["sagemaker.runtime", "sts"],
  ) : []
}

data "aws_vpcs" "default" {
  count = local.in_vpc ? 0 : 1

  filter {
    name   = "is-default"
    values = ["true"]
  }
}

data "aws_subnets" "default" {
  count = local.in_vpc ? 0 : 1

  filter {
    name   = "vpc-id"
    values = data.aws_vpcs.default[0].ids
  }

  filter {
    name   = "default-for-az"
    values = ["true"]
  }

  lifecycle {
    precondition {
      condition     = length(data.aws_vpcs.default[0].ids) == 1
      error_message = "${local.region} has no default VPC in this account, and rendering needs a network: set network = { create = true }, or network = { subnet_ids = [...] }, or make a default VPC with `aws ec2 create-default-vpc`."
    }
  }
}

data "aws_subnet" "given" {
  count = length(var.network.subnet_ids) > 0 ? 1 : 0

  id = var.network.subnet_ids[0]
}

resource "aws_security_group" "this" {
  count = 1

  name        = var.name
  description = "${var.name}: HTTPS out, nothing in"
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = var.name })
}

resource "aws_vpc_security_group_egress_rule" "anywhere" {
  count = var.network.create ? 0 : 1

  security_group_id = aws_security_group.this[0].id
  description       = "AWS's interfaces"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
  tags              = local.tags
}
