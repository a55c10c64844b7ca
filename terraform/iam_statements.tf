locals {
  allow_list = { for name, prefixes in {
    jobs       = [local.prefixes.jobs]
    frames     = [local.prefixes.frames]
    detections = [local.prefixes.detections]
    } : name => {
    Sid      = "List${title(name)}"
    Effect   = "Allow"
    Action   = ["s3:ListBucket"]
    Resource = [local.bucket_arn]
    # To answer 404 rather than 403 for an object that does not exist, S3 asks for this right without
    # a prefix: hence "IfExists". Its price: holders of such a role can list all keys, without their
    # contents, by leaving out the prefix (README.md, "Rights").
    Condition = { StringLikeIfExists = { "s3:prefix" = [for prefix in prefixes : "${prefix}*"] } }
  } }

  # For what only reads what it was given the names of, or lists: always with a prefix.
  allow_list_strictly = { for name, statement in local.allow_list : name => merge(statement, {
    Condition = { StringLike = statement.Condition.StringLikeIfExists }
  }) }

  allow_read = { for name, arn in { jobs = local.jobs_arn, frames = local.frames_arn, detections = local.detections_arn } : name => {
    Sid      = "Read${title(name)}"
    Effect   = "Allow"
    Action   = ["s3:GetObject"]
    Resource = ["${arn}*"]
  } }

  allow_keys = { for service in ["s3", "lambda"] : service => {
    Sid       = "Keys${title(service)}"
    Effect    = "Allow"
    Action    = service == "s3" ? ["kms:Decrypt", "kms:GenerateDataKey"] : ["kms:Decrypt"]
    Resource  = [local.kms_key_arn]
    Condition = { StringEquals = { "kms:ViaService" = "${service}.${local.region}.amazonaws.com" } }
  } }

  # Where features are read or written.
  allow_detections_key = merge(local.allow_keys.s3, { Sid = "KeysDetections", Resource = [local.detections_kms_key_arn] })

  # The key of disks is granted to the service that attaches them: by the role of the instances, and
  # by whoever creates them.
  allow_volumes = [for statement in [{
    Sid       = "EncryptVolumes"
    Effect    = "Allow"
    Action    = ["kms:CreateGrant"]
    Resource  = [local.kms_key_arn]
    Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
  }] : statement if var.encrypt_volumes]

  allow_own_log = { for name in ["submit", "postprocess", "finish", "sweep", "waiting"] : name => {
    Sid      = "OwnLog"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${local.log_group_arns["functions/${name}"]}:*"]
  } }

  allow_publish = {
    Sid       = "Publish"
    Effect    = "Allow"
    Action    = ["events:PutEvents"]
    Resource  = [local.event_bus_arn]
    Condition = { StringEquals = { "events:source" = "faceveil" } }
  }

  allow_failures = {
    Sid      = "Failures"
    Effect   = "Allow"
    Action   = ["sqs:SendMessage"]
    Resource = [local.dead_letters_arn, local.failures_arn]
  }

  # jobs/<id>/job.json starts a job: nothing that runs a job may start another.
  deny_starting_jobs = {
    Sid      = "StartNoJobs"
    Effect   = "Deny"
    Action   = ["s3:PutObject", "s3:DeleteObject"]
    Resource = ["${local.jobs_arn}*/job.json"]
  }

  # What analyses, renders and finishes: results under jobs/, features deleted when a job says so.
  work_on_jobs = concat([
    local.allow_list.jobs, local.allow_list.frames, local.allow_list.detections,
    local.allow_read.jobs, local.allow_read.frames, local.allow_read.detections,
    {
      Sid      = "WriteResults"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"]
      Resource = ["${local.jobs_arn}*"]
    },
    {
      # With the features of reference photos, which are found here.
      Sid      = "KeepAndDeleteFeatures"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:PutObject"]
      Resource = ["${local.detections_arn}*"]
    },
    local.deny_starting_jobs,
    local.allow_keys.s3, local.allow_detections_key,
    local.allow_publish,
  ], local.read_inputs)

  # The model has its role, so none is passed. After detection only a second look is started.
  start_transform = { for name, arns in { submit = local.transform_arns, postprocess = "${local.transform_arns}-refine*" } : name => [
    {
      Sid       = "StartTransform"
      Effect    = "Allow"
      Action    = ["sagemaker:CreateTransformJob"]
      Resource  = [arns]
      Condition = { ArnLike = { "sagemaker:ModelArn" = local.model_arns } }
    },
    {
      Sid      = "SeeAndTagTransform"
      Effect   = "Allow"
      Action   = ["sagemaker:AddTags", "sagemaker:DescribeTransformJob"]
      Resource = [arns]
    },
  ] }

  start_batch = [
    {
      Sid      = "StartBatch"
      Effect   = "Allow"
      Action   = ["batch:SubmitJob"]
      Resource = [local.job_queue_arn, local.job_definition_arn, "${local.job_definition_arn}:*"]
    },
    {
      # A Batch job's ARN is not known before it exists.
      Sid       = "TagBatch"
      Effect    = "Allow"
      Action    = ["batch:TagResource"]
      Resource  = ["arn:${local.partition}:batch:${local.region}:${local.account}:job/*"]
      Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = ["faceveil:job-id"] } }
    },
  ]

  pull_image = { for name, arn in local.repository_arns : name => [
    {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = [arn]
    },
    {
      # This action cannot be limited to a repository.
      Sid      = "RegistryLogin"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
  ] }

  # SageMaker's own logs and measurements of a job.
  sagemaker_logs = { for kind in ["Transform", "Processing"] : kind => [
    {
      Sid      = "OwnLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/sagemaker/${kind}Jobs:*"]
    },
    {
      # This action cannot be limited to a resource, only to a namespace.
      Sid       = "OwnMetrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringEquals = { "cloudwatch:namespace" = "/aws/sagemaker/${kind}Jobs" } }
    },
  ] }

  # What Lambda and SageMaker need to put an interface into a VPC. Lambda refuses functions whose
  # role names the interfaces more closely, and what describes cannot be limited at all.
  interfaces = { for service, actions in {
    lambda    = { change = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"], describe = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"] }
    sagemaker = { change = ["ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"], describe = ["ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"] }
    } : service => [for statement in [
      { Sid = "Interfaces", Effect = "Allow", Action = actions.change, Resource = ["arn:${local.partition}:ec2:${local.region}:${local.account}:*/*"] },
      { Sid = "SeeNetwork", Effect = "Allow", Action = actions.describe, Resource = ["*"] },
  ] : statement if local.in_vpc] }

  role_statements = {
    submit = concat(
      [
        # A Processing job is given the detections of an earlier attempt, where there are any.
        local.allow_list.jobs, local.allow_list.frames, local.allow_list.detections, local.allow_read.jobs,
        {
          Sid      = "ClaimOrRefuse"
          Effect   = "Allow"
          Action   = ["s3:PutObject"]
          Resource = ["${local.jobs_arn}*/error.json", "${local.jobs_arn}*/submit/*", "${local.jobs_arn}.ended/*", "${local.jobs_arn}.waiting/*"]
        },
        {
          # The failure of a job.json that was corrected before anything was started.
          Sid      = "ClearFailure"
          Effect   = "Allow"
          Action   = ["s3:DeleteObject"]
          Resource = ["${local.jobs_arn}*/error.json", "${local.jobs_arn}.ended/*"]
        },
        local.allow_publish, local.allow_failures, local.allow_keys.s3, local.allow_keys.lambda, local.allow_own_log.submit,
      ],
      local.start_transform.submit, local.start_processing.submit, local.allow_volumes, local.list_inputs, local.interfaces.lambda,
    )
    postprocess = concat(
      local.work_on_jobs,
      [
        local.allow_failures, local.allow_keys.lambda, local.allow_own_log.postprocess,
      ],
      local.start_batch, local.start_transform.postprocess, local.start_processing.postprocess, local.allow_volumes,
      local.interfaces.lambda,
    )
    finish = concat(
      local.work_on_jobs,
      [local.allow_failures, local.allow_keys.lambda, local.allow_own_log.finish],
      local.start_batch, local.interfaces.lambda,
    )
    sweep = concat(
      [
        local.allow_list.jobs,
        {
          # Read where S3's answer to a write was lost.
          Sid      = "Refuse"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = ["${local.jobs_arn}*/error.json", "${local.jobs_arn}.ended/*"]
        },
        {
          # Whether a finisher is still at work, and what the SageMaker jobs are called.
          Sid      = "ReadNotes"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = ["${local.jobs_arn}*/chunks/claims/*", "${local.jobs_arn}*/submit/names.json"]
        },
        {
          Sid      = "SeeSageMakerJobs"
          Effect   = "Allow"
          Action   = ["sagemaker:DescribeProcessingJob", "sagemaker:DescribeTransformJob"]
          Resource = [local.processing_arns, local.transform_arns]
        },
        local.allow_publish, local.allow_failures, local.allow_keys.s3, local.allow_keys.lambda, local.allow_own_log.sweep,
      ],
      local.interfaces.lambda,
    )
    waiting = concat(
      [
        local.allow_list.jobs, local.allow_list.frames, local.allow_list.detections,
        local.allow_read.jobs, local.allow_read.detections,
        {
          Sid      = "StartOrRefuse"
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:DeleteObject"]
          Resource = ["${local.jobs_arn}*/error.json", "${local.jobs_arn}*/submit/*", "${local.jobs_arn}.ended/*", "${local.jobs_arn}.waiting/*"]
        },
        local.allow_publish, local.allow_failures, local.allow_keys.s3, local.allow_keys.lambda, local.allow_own_log.waiting,
        local.allow_detections_key,
      ],
      local.start_transform.submit, local.start_processing.submit, local.allow_volumes, local.list_inputs, local.interfaces.lambda,
    )
    model = concat(
      [
        local.allow_list_strictly.frames, local.allow_list_strictly.jobs,
        {
          Sid      = "ReadFramesAndManifests"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = concat(["${local.frames_arn}*", "${local.jobs_arn}*/submit/*"], [for url in [var.transform.data_url] : "arn:${local.partition}:s3:::${trimprefix(url, "s3://")}" if url != null])
        },
        {
          Sid      = "WriteDetections"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
          Resource = ["${local.detections_arn}*"]
        },
        local.allow_keys.s3, local.allow_detections_key,
      ],
      local.read_inputs, local.allow_volumes, local.pull_image.server, local.sagemaker_logs.Transform, local.interfaces.sagemaker,
    )
    processing = local.processing_statements
    render     = local.work_on_jobs
    render-start = concat(local.pull_image.postprocess, [{
      Sid      = "OwnLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${local.log_group_arns["render"]}:*"]
    }])
    render-machine = [
      {
        Sid      = "JoinCluster"
        Effect   = "Allow"
        Action   = ["ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance", "ecs:SubmitAttachmentStateChanges", "ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange"]
        Resource = ["arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/AWSBatch-terraform-*", "arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/terraform-*_Batch_*"]
      },
      {
        Sid      = "AnswerCluster"
        Effect   = "Allow"
        Action   = ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"]
        Resource = ["arn:${local.partition}:ecs:${local.region}:${local.account}:container-instance/*"]
      },
      {
        # This action cannot be limited to a cluster.
        Sid      = "FindCluster"
        Effect   = "Allow"
        Action   = ["ecs:DiscoverPollEndpoint"]
        Resource = ["*"]
      },
    ]
    flow-logs = [{
      Sid      = "OwnLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = ["${lookup(local.log_group_arns, "flow-logs", "")}:*"]
    }]
    notebook = concat(
      [
        local.allow_list_strictly.jobs, local.allow_list_strictly.frames, local.allow_list_strictly.detections,
        local.allow_read.jobs, local.allow_read.frames, local.allow_read.detections,
        {
          Sid      = "Experiments"
          Effect   = "Allow"
          Action   = ["s3:PutObject"]
          Resource = ["${local.frames_arn}*", "${local.jobs_arn}*"]
        },
        local.allow_keys.s3, local.allow_detections_key,
        {
          Sid      = "OwnLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
          Resource = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/sagemaker/NotebookInstances:*"]
        },
      ],
      local.interfaces.sagemaker,
    )
  }
}
