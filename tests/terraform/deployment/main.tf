# The module, twice, applied to the server of ../moto_server.py.

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

variable "images" {
  description = "The module's."
  type        = object({ server = string, postprocess = string })
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

# The smallest deployment, and beside it the largest: they wait at the same time, and they must not
# get into each other's way.
module "smallest" {
  source = "../terraform"

  images = var.images
}

module "largest" {
  source = "../terraform"

  name                   = "private"
  images                 = var.images
  network                = { create = true }
  rendering              = { platform = "EC2" }
  retention              = { outputs_days = 90 }
  notebook_instance_type = "ml.t3.medium"
  # One deployment of an account and region manages them: the smallest.
  manage_sagemaker_logs = false
  alarm_emails          = ["operator@example.com"]
}
