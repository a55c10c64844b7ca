locals {
  fargate = var.rendering.platform == "FARGATE"
  # In the order in which the queue fills them. Spare capacity can run out, so there is always
  # another environment behind it.
  compute = merge(
    var.rendering.spot ? { spot = local.fargate ? "FARGATE_SPOT" : "SPOT" } : {},
    { on-demand = local.fargate ? "FARGATE" : "EC2" },
  )
  chunk_memory_mb = coalesce(var.rendering.memory_mb, local.fargate ? 8192 : 7000)
  # GiB for each vCPU of a machine's family, and vCPUs of its size. null: another family or size.
  memory_per_vcpu = { c = 2, m = 4, r = 8 }
  machine_parts   = { for type in var.rendering.instance_types : type => try(regex("^([cmr])[0-9]+[a-z-]*\\.(large|([0-9]*)xlarge)$", type), null) }
  machine_vcpus   = { for type, parts in local.machine_parts : type => parts == null ? 0 : parts[1] == "large" ? 2 : 4 * try(tonumber(parts[2]), 1) }
  # A tenth of the memory is the system's and the agent's.
  machines = { for type, parts in local.machine_parts : type => parts == null ? null : {
    vcpus     = local.machine_vcpus[type]
    memory_mb = floor(local.machine_vcpus[type] * local.memory_per_vcpu[parts[0]] * 1024 * 0.9)
  } }
  # Why a chunk that is first in the queue does not start, and how long it waits. What no machine
  # can ever hold need not wait.
  queue_limits = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"           = var.rendering.queue_seconds
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE" = 600
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"         = 600
  }
  compute_order = [for name in ["spot", "on-demand"] : name if contains(keys(local.compute), name)]
}

resource "aws_batch_compute_environment" "render" {
  for_each = local.compute

  # Without a name, which versions 5 and 6 of the provider call differently: the provider makes one
  # up, and the tags say whose it is.
  type  = "MANAGED"
  state = "ENABLED"
  tags  = local.tags

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

    precondition {
      condition = local.fargate || alltrue([
        for machine in values(local.machines) : machine == null ? false : machine.vcpus >= var.rendering.vcpus && machine.memory_mb >= local.chunk_memory_mb
      ])
      error_message = "Each of rendering.instance_types must be a c, m or r type that holds a chunk of ${var.rendering.vcpus} vCPUs and ${local.chunk_memory_mb} MiB. The system takes a tenth: of the 8192 MiB of a c6i.xlarge 7372 are left. Lower rendering.memory_mb, or give larger types."
    }
  }
}

resource "aws_batch_job_queue" "render" {
  name     = "${var.name}-render"
  state    = "ENABLED"
  priority = 1
  tags     = local.tags

  dynamic "job_state_time_limit_action" {
    for_each = local.queue_limits

    content {
      action           = "CANCEL"
      state            = "RUNNABLE"
      reason           = job_state_time_limit_action.key
      max_time_seconds = job_state_time_limit_action.value
    }
  }

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
      image   = var.images.postprocess
      command = ["chunk", "--bucket", "Ref::bucket", "--job", "Ref::job"]
      # The image's own user is root, for SageMaker.
      user             = "1000"
      jobRoleArn       = aws_iam_role.this["render"].arn
      executionRoleArn = aws_iam_role.this["render-start"].arn
      resourceRequirements = [
        { type = "VCPU", value = tostring(var.rendering.vcpus) },
        { type = "MEMORY", value = tostring(local.chunk_memory_mb) },
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
    { for key, value in {
      networkConfiguration = { assignPublicIp = local.in_vpc ? "DISABLED" : "ENABLED" }
      ephemeralStorage     = { sizeInGiB = var.rendering.storage_gb }
    } : key => value if local.fargate },
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
      volume_size = var.rendering.storage_gb
      volume_type = "gp3"
    }
  }
}
