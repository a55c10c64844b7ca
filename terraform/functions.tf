locals {
  functions = { for name, settings in {
    submit      = { memory_mb = 1024, tmp_mb = 512, timeout_seconds = 300 }
    postprocess = var.postprocess
    # The finisher may put a whole video together.
    finish = { memory_mb = 3008, tmp_mb = 10240, timeout_seconds = 900 }
    sweep  = { memory_mb = 512, tmp_mb = 512, timeout_seconds = 900 }
    # It plans a refine pass, too, which reads the detections of the coarse one.
    waiting = { memory_mb = 2048, tmp_mb = 512, timeout_seconds = 900 }
  } : name => settings if local.deployed }
  handlers = {
    submit      = "postprocess_lambda.submit.handler"
    postprocess = "postprocess_lambda.app.handler"
    finish      = "postprocess_lambda.finish.handler"
    sweep       = "postprocess_lambda.sweep.handler"
    waiting     = "postprocess_lambda.waiting.handler"
  }
  # The same for the functions and for what renders in Batch.
  environment = {
    FACEVEIL_BUCKET              = local.bucket_name
    FACEVEIL_BUCKET_OWNER        = local.account
    FACEVEIL_INPUT_BUCKETS       = join(",", [for name, bucket in local.input_buckets : "${name}=${bucket.account}"])
    FACEVEIL_EVENT_BUS           = "default"
    FACEVEIL_KMS_KEY             = local.kms_key_arn
    FACEVEIL_DETECTIONS_KMS_KEY  = local.detections_kms_key_arn
    POWERTOOLS_SERVICE_NAME      = var.name
    POWERTOOLS_METRICS_NAMESPACE = "faceveil"
  }
  # Long videos are rendered, and long ones put together, in Batch.
  batch_environment = {
    FACEVEIL_BATCH_QUEUE          = local.job_queue_arn
    FACEVEIL_BATCH_JOB_DEFINITION = one(aws_batch_job_definition.render[*].arn)
  }
  transform_environment = {
    FACEVEIL_DEPLOYMENT     = var.name
    FACEVEIL_MODEL_NAME     = local.model_name
    FACEVEIL_INSTANCE_TYPE  = var.transform.instance_type
    FACEVEIL_INSTANCE_COUNT = tostring(var.transform.instance_count)
    FACEVEIL_FALLBACK_TYPES = join(",", var.transform.fallback_types)
    FACEVEIL_VOLUME_KMS_KEY = local.volume_kms_key_arn
  }
  function_environments = { for name, own in {
    submit = merge(local.transform_environment, local.processing_environment)
    # It starts the second transform job of a sampled job, and the Processing job that renders.
    postprocess = merge(local.batch_environment, local.transform_environment, local.processing_environment)
    finish      = local.batch_environment
    sweep       = {}
    waiting     = merge(local.transform_environment, local.processing_environment)
  } : name => merge(local.environment, own) }
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  #checkov:skip=CKV_AWS_50:A job is one call of each function; its logs carry the job's id. Tracing would add a wildcard permission.
  #checkov:skip=CKV_AWS_117:In a VPC when var.network gives one; they reach only AWS's own interfaces.
  #checkov:skip=CKV_AWS_272:Code signing is for zip packages; images are pinned by digest.
  function_name                  = "${var.name}-${each.key}"
  role                           = aws_iam_role.this[each.key].arn
  package_type                   = "Image"
  image_uri                      = var.images.postprocess
  memory_size                    = each.value.memory_mb
  timeout                        = each.value.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = local.kms_key_arn
  tags                           = local.tags

  image_config {
    command = [local.handlers[each.key]]
  }

  environment {
    variables = local.function_environments[each.key]
  }

  ephemeral_storage {
    size = each.value.tmp_mb
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.this["dead-letters"].arn
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this["functions/${each.key}"].name
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [true] : []

    content {
      subnet_ids         = local.own_subnets
      security_group_ids = aws_security_group.this[*].id
    }
  }

  # Lambda checks at once that the role may write to the queue.
  depends_on = [aws_iam_role_policy.this, aws_ecr_repository_policy.functions]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = aws_lambda_function.this

  function_name                = each.value.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.this["failures"].arn
    }
  }
}

# dead-letters: events as they came, to be sent again. failures: what went wrong, for people.
resource "aws_sqs_queue" "this" {
  for_each = toset(["dead-letters", "failures"])

  name                      = "${var.name}-${each.key}"
  message_retention_seconds = 1209600
  # Events name buckets, keys and jobs: SQS's own key is enough, and EventBridge can write.
  sqs_managed_sse_enabled = true
  policy                  = jsonencode({ Version = "2012-10-17", Statement = local.queue_statements[each.key] })
  tags                    = local.tags
}

locals {
  tls_only_queue = { for name, arn in { dead-letters = local.dead_letters_arn, failures = local.failures_arn } : name => {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Resource  = arn
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  } }
  queue_statements = {
    failures = [local.tls_only_queue.failures]
    dead-letters = [local.tls_only_queue.dead-letters, {
      Sid       = "UndeliveredEvents"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = local.dead_letters_arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in local.rule_names : "arn:${local.partition}:events:${local.region}:${local.account}:rule/${rule}"] } }
    }]
  }
}
