locals {
  log_groups = merge(
    { for name in ["submit", "postprocess", "finish", "sweep", "waiting"] : "functions/${name}" => "/aws/lambda/${var.name}-${name}" },
    { render = "/aws/batch/${var.name}-render" },
    # SageMaker's own names, one for all jobs of an account and region.
    { for kind in ["Transform", "Processing"] : lower(kind) => "/aws/sagemaker/${kind}Jobs" if var.manage_sagemaker_logs },
    var.network.create ? { flow-logs = "/aws/vpc/${var.name}" } : {},
  )
  log_group_arns = { for name, path in local.log_groups : name => "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${path}" }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.log_groups

  #checkov:skip=CKV_AWS_338:A year is the default; var.retention says how long.
  name              = each.value
  retention_in_days = var.retention.logs_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = local.kms_key_arn
  tags              = local.tags
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsAndBudget"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = local.alarms_arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # EventBridge does not publish to a topic whose policy has conditions for it.
        Sid       = "FailedJobs"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.alarms_arn
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = toset(var.alarm_emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  hour = 3600
  # Each fires when its metric passes the threshold in a period. What is not measured is fine:
  # between jobs nothing runs.
  alarms = merge(
    { for name in keys(local.functions) : "${name}-errors" => {
      text       = "The function ${var.name}-${name} failed: see its log, and the queue ${var.name}-failures for the event"
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = { FunctionName = "${var.name}-${name}" }
      threshold  = 0
      statistic  = "Sum"
      period     = 300
    } },
    { for name in keys(local.rules) : "${name}-undelivered" => {
      text       = "Events of the rule ${var.name}-${name} did not reach their function"
      namespace  = "AWS/Events"
      metric     = "FailedInvocations"
      dimensions = { RuleName = "${var.name}-${name}" }
      threshold  = 0
      statistic  = "Sum"
      period     = 300
    } },
    # What arrives, not what lies there: while something does, an alarm on the depth stays as it is
    # and tells of nothing new.
    { for name in ["dead-letters", "failures"] : "${name}-arrivals" => {
      text       = "Something arrived in the queue ${var.name}-${name}: a job may be stuck"
      namespace  = "AWS/SQS"
      metric     = "NumberOfMessagesSent"
      dimensions = { QueueName = "${var.name}-${name}" }
      threshold  = 0
      statistic  = "Sum"
      period     = 300
    } },
    {
      dead-letters-age = {
        text       = "The oldest event in ${var.name}-dead-letters has waited a day: send it again, or delete it"
        namespace  = "AWS/SQS"
        metric     = "ApproximateAgeOfOldestMessage"
        dimensions = { QueueName = "${var.name}-dead-letters" }
        threshold  = 24 * local.hour
        statistic  = "Maximum"
        period     = local.hour
      }
      unveiled-faces = {
        text       = "Verification found faces that must be veiled in a job's output: look at its report.json before the output is used"
        namespace  = local.environment.POWERTOOLS_METRICS_NAMESPACE
        metric     = "VerificationFailures"
        dimensions = { service = local.environment.POWERTOOLS_SERVICE_NAME }
        threshold  = 0
        statistic  = "Sum"
        period     = 300
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = local.widgets })
}

locals {
  charts = {
    "Function errors"        = [for name in keys(local.handlers) : ["AWS/Lambda", "Errors", "FunctionName", "${var.name}-${name}", { stat = "Sum" }]]
    "Function duration (ms)" = [for name in keys(local.handlers) : ["AWS/Lambda", "Duration", "FunctionName", "${var.name}-${name}", { stat = "Maximum" }]]
    "Events waiting"         = [for name in ["dead-letters", "failures"] : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-${name}", { stat = "Maximum" }]]
    "Jobs"                   = [for name in ["JobsCompleted", "JobsFailed", "VerificationFailures"] : [local.environment.POWERTOOLS_METRICS_NAMESPACE, name, "service", var.name, { stat = "Sum" }]]
  }
  widgets = [for index, title in keys(local.charts) : {
    type       = "metric"
    x          = 12 * (index % 2)
    y          = 6 * floor(index / 2)
    width      = 12
    height     = 6
    properties = { title = title, region = local.region, view = "timeSeries", period = 300, metrics = local.charts[title] }
  }]
}

resource "aws_budgets_budget" "this" {
  count = var.monthly_budget_usd == null ? 0 : 1

  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  tags         = local.tags

  cost_filter {
    name = "TagKeyValue"
    # AWS's KEY$VALUE. A dollar sign before a brace would be Terraform's escape.
    values = [format("user:faceveil:deployment$%s", var.name)]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }

    content {
      notification_type         = notification.key
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      comparison_operator       = "GREATER_THAN"
      subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    }
  }
}
