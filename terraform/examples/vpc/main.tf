# Everything in a private VPC that has no way to the internet, on EC2 spot machines, with a
# notebook for development.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where everything runs and the data stays."
  type        = string
  default     = "eu-west-1"
}

variable "images" {
  description = "The images by digest, as `faceveil aws build-images` prints them. Leave it out of the first apply."
  type = object({
    server      = string
    postprocess = string
  })
  default = null
}

variable "alarm_emails" {
  description = "Who is told of alarms, failed jobs and the budget."
  type        = list(string)
  default     = []
}

module "faceveil" {
  source = "../.."

  name         = "faceveil-private"
  images       = var.images
  alarm_emails = var.alarm_emails

  network                = { create = true }
  rendering              = { platform = "EC2", max_vcpus = 128 }
  transform              = { instance_type = "ml.c5.4xlarge", instance_count = 2 }
  retention              = { detections_days = 2, frames_days = 7, outputs_days = 90 }
  notebook_instance_type = "ml.t3.medium"
  monthly_budget_usd     = 500
}

output "faceveil" {
  description = "Everything that `faceveil aws` and a backend need to know."
  value       = module.faceveil
}
