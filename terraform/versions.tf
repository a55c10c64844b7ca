terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Only arguments that 5 and 6 share: 6 renamed those of the compute environment's name.
      version = ">= 5.80, < 7.0"
    }
  }
}
