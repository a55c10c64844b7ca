# The module, applied to the server of ../moto_server.py.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "endpoint" {
  description = "Where that server listens."
  type        = string
}

variable "settings" {
  description = "Variables of the module that differ between tests."
  type        = any
  default     = {}
}

provider "aws" {
  region     = "eu-west-1"
  access_key = "test"
  secret_key = "test"
  # What the server lacks is told at once instead of asked for again for minutes.
  max_retries                 = 1
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    batch      = var.endpoint
    budgets    = var.endpoint
    cloudwatch = var.endpoint
    ec2        = var.endpoint
    ecr        = var.endpoint
    events     = var.endpoint
    iam        = var.endpoint
    kms        = var.endpoint
    lambda     = var.endpoint
    logs       = var.endpoint
    s3         = var.endpoint
    sagemaker  = var.endpoint
    sns        = var.endpoint
    sqs        = var.endpoint
    sts        = var.endpoint
  }
}

module "faceveil" {
  source = "../terraform"

  name                   = try(var.settings.name, "faceveil")
  images                 = try(var.settings.images, null)
  kms_key_arn            = try(var.settings.kms_key_arn, null)
  network                = try(var.settings.network, {})
  rendering              = try(var.settings.rendering, {})
  notebook_instance_type = try(var.settings.notebook_instance_type, null)
  alarm_emails           = ["operator@example.com"]
}

output "faceveil" {
  description = "What the module answers."
  value       = module.faceveil
}
