locals {
  fargate = var.rendering.platform == "FARGATE"
  # In the order in which the queue fills them. Spare capacity can run out, so there is always
  # another environment behind it.
  compute = merge(
    var.rendering.spot ? { spot = local.fargate ? "FARGATE_SPOT" : "SPOT" } : {},
    { on-demand = local.fargate ? "FARGATE" : "EC2" },
  )
  compute_order = [for name in ["spot", "on-demand"] : name if contains(keys(local.compute), name)]
}

resource "aws_batch_compute_environment" "render" {
  for_each = local.compute

  compute_environment_name_prefix = "${var.name}-render-${each.key}-"
  type                            = "MANAGED"
  state                           = "ENABLED"
  tags                            = local.tags

  compute_resources {
    type                = each.value
    max_vcpus           = var.rendering.max_vcpus
    subnets             = local.subnets
    security_group_ids  = aws_security_group.this[*].id
    min_vcpus           = local.fargate ? null : 0
    allocation_strategy = local.fargate ? null : each.key == "spot" ? "SPOT_PRICE_CAPACITY_OPTIMIZED" : "BEST_FIT_PROGRESSIVE"
    instance_type       = local.fargate ? null : var.rendering.instance_types
    instance_role       = one(aws_iam_instance_profile.render[*].arn)
    tags                = local.fargate ? null : local.tags

    dynamic "launch_template" {
      for_each = aws_launch_template.render

      content {
        launch_template_id = launch_template.value.id
        version            = launch_template.value.latest_version
      }
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_batch_job_queue" "render" {
  name     = "${var.name}-render"
  state    = "ENABLED"
  priority = 1
  tags     = local.tags

  dynamic "compute_environment_order" {
    for_each = local.compute_order

    content {
      order               = compute_environment_order.key + 1
      compute_environment = aws_batch_compute_environment.render[compute_environment_order.value].arn
    }
  }
}

resource "aws_batch_job_definition" "render" {
  count = local.deployed ? 1 : 0

  name                  = "${var.name}-render"
  type                  = "container"
  platform_capabilities = [var.rendering.platform]
  propagate_tags        = true
  tags                  = local.tags

  timeout {
    attempt_duration_seconds = var.rendering.timeout_seconds
  }

  # Errors of faceveil that come again however often one tries: an option, the input, coverage,
  # weights or a licence. Everything else is tried again, lost machines included.
  retry_strategy {
    attempts = var.rendering.attempts

    dynamic "evaluate_on_exit" {
      for_each = ["2", "3", "4", "6"]

      content {
        action       = "exit"
        on_exit_code = evaluate_on_exit.value
      }
    }
  }

  parameters = { bucket = local.bucket_name, job = "none" }

  container_properties = jsonencode(merge(
    {
      image            = var.images.postprocess
      command          = ["chunk", "--bucket", "Ref::bucket", "--job", "Ref::job"]
      jobRoleArn       = aws_iam_role.this["render"].arn
      executionRoleArn = aws_iam_role.this["render-start"].arn
      resourceRequirements = [
        { type = "VCPU", value = tostring(var.rendering.vcpus) },
        { type = "MEMORY", value = tostring(var.rendering.memory_mb) },
      ]
      # Lambda and Fargate tell the region, machines do not.
      environment = [for variable, value in merge(local.environment, { AWS_REGION = local.region }) : { name = variable, value = value }]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this["render"].name
          awslogs-region        = local.region
          awslogs-stream-prefix = "chunk"
        }
      }
    },
    # Without a VPC of its own the task has no other way to the registry and S3.
    { for key, value in { networkConfiguration = { assignPublicIp = local.in_vpc ? "DISABLED" : "ENABLED" } } : key => value if local.fargate },
  ))
}

resource "aws_iam_instance_profile" "render" {
  count = local.fargate ? 0 : 1

  name = "${local.role_prefix}-render-machine"
  role = aws_iam_role.this["render-machine"].name
  tags = local.tags
}

resource "aws_launch_template" "render" {
  count = local.fargate ? 0 : 1

  name_prefix = "${var.name}-render-"
  tags        = local.tags

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted   = true
      volume_size = 60
      volume_type = "gp3"
    }
  }
}
