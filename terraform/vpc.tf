# A VPC of its own, on request: private subnets, endpoints, no internet gateway and no NAT.

resource "aws_vpc" "this" {
  count = var.network.create ? 1 : 0

  cidr_block           = var.network.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(local.tags, { Name = var.name })
}

# The VPC's default group lets its members talk to each other, so it stays without members.
resource "aws_default_security_group" "this" {
  count = var.network.create ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = local.tags
}

resource "aws_subnet" "this" {
  count = var.network.create ? length(var.network.zones) : 0

  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.network.cidr, 4, count.index)
  availability_zone = "${local.region}${var.network.zones[count.index]}"
  tags              = merge(local.tags, { Name = "${var.name}-${count.index}" })
}

resource "aws_route_table" "this" {
  count = var.network.create ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(local.tags, { Name = var.name })
}

resource "aws_route_table_association" "this" {
  count = var.network.create ? length(var.network.zones) : 0

  subnet_id      = aws_subnet.this[count.index].id
  route_table_id = aws_route_table.this[0].id
}

resource "aws_vpc_endpoint" "s3" {
  count = var.network.create ? 1 : 0

  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = aws_route_table.this[*].id
  tags              = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "OwnBucket"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      },
      {
        # ECR keeps its images' layers in a bucket of AWS's.
        Sid       = "ImageLayers"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = "arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"
      },
      ], [for statement in [{
        Sid       = "InputBuckets"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:ListBucket"]
        Resource  = flatten([for bucket in values(local.input_buckets) : [bucket.arn, "${bucket.arn}/${bucket.prefix}*"]])
    }] : statement if length(local.input_buckets) > 0])
  })
}

resource "aws_security_group" "endpoints" {
  count = var.network.create ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "${var.name}: HTTPS from its own machines"
  vpc_id      = aws_vpc.this[0].id
  tags        = merge(local.tags, { Name = "${var.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = var.network.create ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "From functions, transforms and rendering"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.this[0].id
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  count = var.network.create ? 1 : 0

  security_group_id            = aws_security_group.this[0].id
  description                  = "To the endpoints"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints[0].id
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  count = var.network.create ? 1 : 0

  security_group_id = aws_security_group.this[0].id
  description       = "To S3"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
  tags              = local.tags
}

resource "aws_vpc_endpoint" "interface" {
  for_each = toset(local.endpoints)

  vpc_id              = aws_vpc.this[0].id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.this[*].id
  security_group_ids  = aws_security_group.endpoints[*].id
  tags                = local.tags
}

resource "aws_flow_log" "this" {
  count = var.network.create ? 1 : 0

  vpc_id          = aws_vpc.this[0].id
  traffic_type    = "REJECT"
  iam_role_arn    = aws_iam_role.this["flow-logs"].arn
  log_destination = aws_cloudwatch_log_group.this["flow-logs"].arn
  tags            = local.tags
}
