# The smallest deployment: functions and transforms in AWS's network, rendering in the default VPC.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }

  # The state names everything and must outlive this machine: before the first apply, put it into
  # a bucket that is not faceveil's own, with versions and encryption (README.md, "State").
  # backend "s3" {
  #   bucket       = "your-terraform-state"
  #   key          = "faceveil/terraform.tfstate"
  #   region       = "eu-west-1"
  #   encrypt      = true
  #   use_lockfile = true
  # }
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

  images       = var.images
  alarm_emails = var.alarm_emails
}

output "faceveil" {
  description = "Everything that `faceveil aws` and a backend need to know."
  value       = module.faceveil
}
