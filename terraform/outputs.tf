output "bucket" {
  description = "Name of the bucket: frames/<id>/, jobs/<id>/ and detections/<id>/ lie in it."
  value       = aws_s3_bucket.this.bucket
}

output "kms_key_arn" {
  description = "The key that encrypts everything but detections."
  value       = local.kms_key_arn
}

output "detections_kms_key_arn" {
  description = "The key that encrypts detections. A principal of detection_reader_arns needs kms:Decrypt on it."
  value       = local.detections_kms_key_arn
}

output "input_buckets" {
  description = "The accounts of the other buckets that frames are read from, by name."
  value       = { for name, bucket in local.input_buckets : name => bucket.account }
}

output "input_bucket_policies" {
  description = "The bucket policy (JSON) that each of input_buckets must have, or whose statements its own must hold."
  value       = local.input_bucket_policies
}

output "repositories" {
  description = "Addresses that the images are pushed to, by name: server and postprocess."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "model_name" {
  description = "The SageMaker model that transform jobs use. null before there are images."
  value       = local.model_name
}

output "transform" {
  description = "What transform jobs run on unless the job says otherwise."
  value       = { instance_type = var.transform.instance_type, instance_count = var.transform.instance_count }
}

output "functions" {
  description = "ARNs of the functions, by name: submit, postprocess, finish, sweep and waiting."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
}

output "job_queue_arn" {
  description = "The AWS Batch queue that renders."
  value       = aws_batch_job_queue.render.arn
}

output "job_definition_arn" {
  description = "The AWS Batch job that renders one chunk. null before there are images."
  value       = one(aws_batch_job_definition.render[*].arn)
}

output "processing_role_arn" {
  description = "The role of SageMaker Processing jobs, which run the post-processing image."
  value       = aws_iam_role.this["processing"].arn
}

output "role_arns" {
  description = "All roles, by what takes them."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "queues" {
  description = "URLs of the queues of events that could not be delivered (dead-letters) and of what failed (failures)."
  value       = { for name, queue in aws_sqs_queue.this : name => queue.url }
}

output "alarms_topic_arn" {
  description = "The SNS topic that alarms, failed jobs and the budget go to."
  value       = aws_sns_topic.alarms.arn
}

output "subnet_ids" {
  description = "The subnets that everything runs in, where network makes or names them; empty for the default VPC."
  value       = local.own_subnets
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "backend_policy" {
  description = "IAM policy (JSON) for a backend that submits jobs and reads their results."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.backend_statements })
}

output "operator_policy" {
  description = "IAM policy (JSON) for the people who watch, stop, clean up and send again, and who search faces with Rekognition."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.operator_statements })
}
