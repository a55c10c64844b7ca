# The thesis's notebook for development, in the VPC and without a way to the internet.
resource "aws_sagemaker_notebook_instance" "this" {
  count = var.notebook_instance_type == null ? 0 : 1

  #checkov:skip=CKV2_AWS_68:Its role's policy names every action (tests/terraform); checkov does not follow roles made by for_each.
  name                   = var.name
  role_arn               = aws_iam_role.this["notebook"].arn
  instance_type          = var.notebook_instance_type
  kms_key_id             = local.kms_key_arn
  subnet_id              = local.own_subnets[0]
  security_groups        = aws_security_group.this[*].id
  direct_internet_access = "Disabled"
  root_access            = "Disabled"
  tags                   = local.tags

  instance_metadata_service_configuration {
    minimum_instance_metadata_service_version = "2"
  }
}
