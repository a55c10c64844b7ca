locals {
  # The function that each rule starts, where that is not called like the rule.
  rule_functions = { again = "postprocess", processing = "postprocess" }
  rules = { for name, pattern in {
    # postprocess: a transform of this deployment has ended, told by its name and by where it writes
    postprocess = {
      source      = ["aws.sagemaker"]
      detail-type = ["SageMaker Transform Job State Change"]
      detail = {
        TransformJobStatus = ["Completed", "Failed", "Stopped"]
        TransformJobName   = [{ prefix = local.job_name_prefix }]
        TransformOutput    = { S3OutputPath = [{ prefix = "s3://${local.bucket_name}/" }] }
      }
    }
    # processing: a Processing job of this deployment has ended
    processing = local.processing_ended
    # again: a job was submitted that uses another's detections, so no transform will end
    again = {
      source      = ["faceveil"]
      detail-type = ["FaceVeil Job Submitted"]
      detail      = { bucket = [local.bucket_name], transform_job = [null] }
    }
    # finish: all chunks of an array job have ended; the end of a single chunk is not of interest
    finish = {
      source      = ["aws.batch"]
      detail-type = ["Batch Job State Change"]
      detail = {
        jobQueue        = [local.job_queue_arn]
        status          = ["SUCCEEDED", "FAILED"]
        arrayProperties = { index = [{ exists = false }] }
      }
    }
  } : name => pattern if local.deployed }
  # All rules, also those below.
  rule_names = [for name in ["postprocess", "processing", "again", "finish", "sweep", "waiting", "failed"] : "${var.name}-${name}"]
}

# S3 tells the submit function of each jobs/<id>/job.json itself. By way of EventBridge it would tell
# of every frame and detection, too, and each costs.
resource "aws_s3_bucket_notification" "this" {
  count = local.deployed ? 1 : 0

  bucket = aws_s3_bucket.this.id

  lambda_function {
    id                  = "submit"
    lambda_function_arn = aws_lambda_function.this["submit"].arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = local.prefixes.jobs
    filter_suffix       = "/job.json"
  }

  # S3 checks at once that it may call the function.
  depends_on = [aws_lambda_permission.bucket]
}

resource "aws_lambda_permission" "bucket" {
  count = local.deployed ? 1 : 0

  statement_id   = "bucket"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this["submit"].function_name
  principal      = "s3.amazonaws.com"
  source_arn     = local.bucket_arn
  source_account = local.account
}

resource "aws_cloudwatch_event_rule" "function" {
  for_each = local.rules

  name          = "${var.name}-${each.key}"
  description   = "Starts the function ${var.name}-${lookup(local.rule_functions, each.key, each.key)}"
  event_pattern = jsonencode(each.value)
  tags          = local.tags
}

# sweep: jobs idle for 24 hours are marked failed. waiting: jobs that wait for machines are tried again.
locals {
  schedules = { for name, rate in { sweep = "rate(6 hours)", waiting = "rate(5 minutes)" } : name => rate if local.deployed }
}

resource "aws_cloudwatch_event_rule" "schedule" {
  for_each = local.schedules

  name                = "${var.name}-${each.key}"
  description         = "Starts the function ${var.name}-${each.key}"
  schedule_expression = each.value
  tags                = local.tags
}

resource "aws_cloudwatch_event_target" "schedule" {
  for_each = local.schedules

  rule      = aws_cloudwatch_event_rule.schedule[each.key].name
  target_id = "function"
  arn       = aws_lambda_function.this[each.key].arn

  dead_letter_config {
    arn = aws_sqs_queue.this["dead-letters"].arn
  }
}

resource "aws_lambda_permission" "schedule" {
  for_each = local.schedules

  statement_id  = "rule-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule[each.key].arn
}

resource "aws_cloudwatch_event_target" "function" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.function[each.key].name
  target_id = "function"
  arn       = aws_lambda_function.this[lookup(local.rule_functions, each.key, each.key)].arn

  dead_letter_config {
    arn = aws_sqs_queue.this["dead-letters"].arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}

resource "aws_lambda_permission" "rule" {
  for_each = local.rules

  statement_id  = "rule-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[lookup(local.rule_functions, each.key, each.key)].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.function[each.key].arn
}

# People are told which job failed, and why.
resource "aws_cloudwatch_event_rule" "failed" {
  name          = "${var.name}-failed"
  description   = "A job has failed"
  event_pattern = jsonencode({ source = ["faceveil"], detail-type = ["FaceVeil Job Failed"], detail = { bucket = [local.bucket_name] } })
  tags          = local.tags
}

resource "aws_cloudwatch_event_target" "failed" {
  rule      = aws_cloudwatch_event_rule.failed.name
  target_id = "people"
  arn       = aws_sns_topic.alarms.arn

  input_transformer {
    input_paths    = { job = "$.detail.job_id", stage = "$.detail.stage", reason = "$.detail.reason" }
    input_template = "\"faceveil job <job> failed (<stage>): <reason>\""
  }

  dead_letter_config {
    arn = aws_sqs_queue.this["dead-letters"].arn
  }
}
