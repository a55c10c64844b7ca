variable "name" {
  description = "Name of the deployment: the beginning of every resource's name. One account and region can hold several."
  type        = string
  default     = "faceveil"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9])*$", var.name)) && length(var.name) <= 20
    error_message = "name must be 1 to 20 lower-case letters, digits and single hyphens, beginning with a letter."
  }
}

variable "images" {
  description = "The images that run, each by digest. null, for the first apply: only the registry, the bucket and what else needs no image is made."
  type = object({
    server      = string
    postprocess = string
  })
  default = null

  validation {
    condition = var.images == null ? true : alltrue([
      for image in [var.images.server, var.images.postprocess] : can(regex("^[^@\\s]+@sha256:[0-9a-f]{64}$", image))
    ])
    error_message = "images must be given by digest, as REPOSITORY@sha256:DIGEST: a tag does not say what runs."
  }
}

variable "bucket_name" {
  description = "Name of the bucket. null: NAME-ACCOUNT-REGION."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null ? true : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts everything at rest but detections. null: the module makes one. README.md says what the policy of a key of your own must allow."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias, and not its bare id."
  }
}

variable "detections_kms_key_arn" {
  description = "Key that encrypts detections, which hold biometric features. null: the module makes one beside kms_key_arn, 1 USD a month."
  type        = string
  default     = null

  validation {
    condition     = var.detections_kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.detections_kms_key_arn))
    error_message = "detections_kms_key_arn must be the ARN of a key, not of an alias, and not its bare id."
  }
}

variable "encrypt_volumes" {
  description = "Whether the disks of SageMaker's instances are encrypted with kms_key_arn. false: with a key that SageMaker makes for each and throws away. Types with disks of their own, such as ml.g4dn and ml.g5, take no key."
  type        = bool
  default     = true
  nullable    = false
}

variable "retention" {
  description = "Days that things are kept. detections hold biometric features; frames and outputs are kept for ever when null."
  type = object({
    detections_days = optional(number, 7)
    frames_days     = optional(number, 30)
    outputs_days    = optional(number)
    logs_days       = optional(number, 365)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.retention.detections_days >= 1 && var.retention.detections_days <= 30 && floor(var.retention.detections_days) == var.retention.detections_days
    error_message = "retention.detections_days must be a whole number from 1 to 30: features are biometric data and short-lived."
  }

  validation {
    condition     = alltrue([for days in [var.retention.frames_days, var.retention.outputs_days] : days == null ? true : days >= 1 && floor(days) == days])
    error_message = "retention.frames_days and outputs_days must be whole numbers of at least 1, or null."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.retention.logs_days)
    error_message = "retention.logs_days must be one of CloudWatch's periods: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400 …"
  }
}

variable "transform" {
  description = "What a transform job runs on, unless the job says otherwise; fallback_types are tried in turn where the account's quota of instance_type is used up; data_url is a model.tar.gz in the bucket to use instead of the image's networks; environment is the server's (handler/README.md)."
  type = object({
    instance_type  = optional(string, "ml.c5.xlarge")
    instance_count = optional(number, 1)
    fallback_types = optional(list(string), [])
    data_url       = optional(string)
    environment    = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for type in concat([var.transform.instance_type], var.transform.fallback_types) : can(regex("^ml\\.[a-z][a-z0-9-]*\\.(medium|large|[0-9]*xlarge)$", type))])
    error_message = "transform.instance_type and fallback_types must be SageMaker instance types, such as ml.c5.xlarge."
  }

  validation {
    condition     = var.transform.instance_count >= 1 && var.transform.instance_count <= 100 && floor(var.transform.instance_count) == var.transform.instance_count
    error_message = "transform.instance_count must be a whole number from 1 to 100."
  }

  validation {
    condition     = alltrue([for variable in keys(var.transform.environment) : can(regex("^(FACEVEIL|SAGEMAKER)_[A-Z0-9_]+$", variable))])
    error_message = "transform.environment may only set FACEVEIL_… and SAGEMAKER_… variables."
  }
}

variable "postprocess" {
  description = "Size of the function that analyses a job's detections and renders short videos itself. New accounts have functions of at most 3008 MB."
  type = object({
    memory_mb       = optional(number, 3008)
    tmp_mb          = optional(number, 4096)
    timeout_seconds = optional(number, 900)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.postprocess.memory_mb >= 1024 && var.postprocess.memory_mb <= 10240 && var.postprocess.tmp_mb >= 512 && var.postprocess.tmp_mb <= 10240
    error_message = "postprocess.memory_mb must be 1024 to 10240 and postprocess.tmp_mb 512 to 10240, Lambda's limits."
  }

  validation {
    condition     = var.postprocess.timeout_seconds >= 60 && var.postprocess.timeout_seconds <= 900
    error_message = "postprocess.timeout_seconds must be 60 to 900, Lambda's limit."
  }
}

variable "reserved_concurrency" {
  description = "How many of each function may run at once. -1 reserves nothing: new accounts may run 10 functions in all, and AWS keeps 100 of a quota unreserved."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency == -1 || (var.reserved_concurrency >= 1 && var.reserved_concurrency <= 300)
    error_message = "reserved_concurrency must be 1 to 300, or -1 for none (0 would stop the functions)."
  }
}

variable "rendering" {
  description = "AWS Batch, for long videos. platform is FARGATE or EC2; spot tries spare capacity first; memory_mb is 8192 on FARGATE and 7000 on EC2 unless given; storage_gb is the disk of a chunk; queue_seconds is how long a chunk waits for capacity before it fails; instance_types are for EC2."
  type = object({
    platform        = optional(string, "FARGATE")
    spot            = optional(bool, true)
    vcpus           = optional(number, 4)
    memory_mb       = optional(number)
    storage_gb      = optional(number, 60)
    max_vcpus       = optional(number, 64)
    attempts        = optional(number, 3)
    timeout_seconds = optional(number, 7200)
    queue_seconds   = optional(number, 14400)
    instance_types  = optional(list(string), ["c6i.xlarge", "c6a.xlarge", "c5.xlarge"])
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["FARGATE", "EC2"], var.rendering.platform)
    error_message = "rendering.platform must be FARGATE or EC2."
  }

  validation {
    condition = var.rendering.platform != "FARGATE" ? true : contains(
      { "1" = range(2048, 8193, 1024), "2" = range(4096, 16385, 1024), "4" = range(8192, 30721, 1024), "8" = range(16384, 61441, 4096), "16" = range(32768, 122881, 8192) }[tostring(var.rendering.vcpus)],
      coalesce(var.rendering.memory_mb, 8192),
    )
    error_message = "Fargate has 1 vCPU with 2048 to 8192 MB, 2 with 4096 to 16384, 4 with 8192 to 30720, 8 with 16384 to 61440, 16 with 32768 to 122880 (in steps of 1024, from 8 vCPUs 4096, 16 vCPUs 8192)."
  }

  validation {
    condition     = var.rendering.storage_gb >= 21 && var.rendering.storage_gb <= 200
    error_message = "rendering.storage_gb must be 21 to 200, Fargate's limits."
  }

  validation {
    condition     = var.rendering.queue_seconds >= 600 && var.rendering.queue_seconds <= 86400
    error_message = "rendering.queue_seconds must be 600 to 86400, AWS Batch's limits."
  }

  validation {
    condition     = var.rendering.max_vcpus >= var.rendering.vcpus
    error_message = "rendering.max_vcpus must be at least rendering.vcpus, else no chunk ever starts."
  }

  validation {
    condition     = var.rendering.attempts >= 1 && var.rendering.attempts <= 10 && var.rendering.timeout_seconds >= 60
    error_message = "rendering.attempts must be 1 to 10, rendering.timeout_seconds at least 60."
  }
}

variable "network" {
  description = "Where things run. By default the functions and transforms are in AWS's own network and rendering is in the default VPC. create: a private VPC with endpoints in the zones with these letters, no way to the internet. subnet_ids: yours, with a way to S3, ECR, logs, events, Batch and SageMaker."
  type = object({
    create     = optional(bool, false)
    cidr       = optional(string, "10.42.0.0/20")
    zones      = optional(list(string), ["a", "b"])
    subnet_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = !(var.network.create && length(var.network.subnet_ids) > 0)
    error_message = "network.create makes its own subnets: leave network.subnet_ids out."
  }

  validation {
    condition     = can(cidrsubnet(var.network.cidr, 4, 0)) && try(tonumber(split("/", var.network.cidr)[1]), 99) <= 23 && try(tonumber(split("/", var.network.cidr)[1]), 0) >= 16
    error_message = "network.cidr must be an IPv4 block from /16 to /23."
  }

  validation {
    condition     = length(var.network.zones) >= 1 && length(var.network.zones) <= 3 && length(distinct(var.network.zones)) == length(var.network.zones) && alltrue([for zone in var.network.zones : can(regex("^[a-f]$", zone))])
    error_message = "network.zones must be one to three different letters of the region's zones, such as [\"a\", \"b\"]."
  }
}

variable "alarm_emails" {
  description = "Addresses that are told of alarms, failed jobs and the budget. Each must confirm AWS's e-mail once."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}

variable "monthly_budget_usd" {
  description = "Alarm when the month's cost of this deployment passes 80 % of it, or is forecast to pass it. null: no budget."
  type        = number
  default     = 100

  validation {
    condition     = var.monthly_budget_usd == null ? true : var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be more than 0, or null."
  }
}

variable "manage_sagemaker_logs" {
  description = "Whether this deployment sets the retention and key of /aws/sagemaker/TransformJobs and ProcessingJobs, which all jobs of an account and region share: true in one deployment, false in the others. README.md says how to import them where they exist."
  type        = bool
  default     = true
  nullable    = false
}

variable "detection_reader_arns" {
  description = "Principals, beside the roles that need it, that may read and write detections, which hold biometric features: such as an auditor's role. Their own policies must allow it, too."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.detection_reader_arns : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[^*]+$", arn))])
    error_message = "detection_reader_arns must be ARNs of roles or users, without wildcards."
  }
}

variable "producer_arns" {
  description = "Roles of other accounts that bring frames and jobs into the bucket, and read their results; no features. Their own policies must allow it, too."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.producer_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "producer_arns must be ARNs of roles or users, without wildcards."
  }
}

variable "input_buckets" {
  description = "Other buckets, of this or another account and in this region, whose frames are read in place: name, account, the prefix below which frames may be read, and the KMS key that they are encrypted with."
  type = list(object({
    name        = string
    account     = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for bucket in var.input_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket.name)) && can(regex("^[0-9]{12}$", bucket.account))])
    error_message = "input_buckets must give the name of each bucket, and the 12 digits of the account that it belongs to."
  }

  validation {
    condition     = alltrue([for bucket in var.input_buckets : bucket.prefix == "" || can(regex("^[^/*?][^*?]*/$", bucket.prefix))])
    error_message = "input_buckets.prefix must end in a slash, begin with none, and hold no wildcard."
  }

  validation {
    condition     = alltrue([for bucket in var.input_buckets : bucket.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", bucket.kms_key_arn))])
    error_message = "input_buckets.kms_key_arn must be the ARN of a key, not of an alias."
  }

  validation {
    condition     = length(distinct(var.input_buckets[*].name)) == length(var.input_buckets)
    error_message = "input_buckets must name each bucket once."
  }
}

variable "data_events_bucket" {
  description = "Name of a bucket of logs, whose policy lets CloudTrail write: a trail then records who read or wrote which object. null: none. About 1 USD for a million objects."
  type        = string
  default     = null
}

variable "data_events_key_arn" {
  description = "Key that encrypts the trail of data_events_bucket. null: as that bucket does."
  type        = string
  default     = null

  validation {
    condition     = var.data_events_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.data_events_key_arn))
    error_message = "data_events_key_arn must be the ARN of a key."
  }
}

variable "permissions_boundary_arn" {
  description = "IAM policy that bounds every role of the module, where an organisation demands one. null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}

variable "notebook_instance_type" {
  description = "Type of a SageMaker notebook for development, such as ml.t3.medium. null: none. It costs money while it is on."
  type        = string
  default     = null

  validation {
    condition     = var.notebook_instance_type == null ? true : can(regex("^ml\\.[a-z][a-z0-9-]*\\.(medium|large|[0-9]*xlarge)$", var.notebook_instance_type))
    error_message = "notebook_instance_type must be a SageMaker instance type, such as ml.t3.medium."
  }

  validation {
    condition     = var.notebook_instance_type == null ? true : var.network.create || length(var.network.subnet_ids) > 0
    error_message = "A notebook has no direct way to the internet, so it needs network.create or network.subnet_ids."
  }
}

variable "force_destroy" {
  description = "Let `terraform destroy` delete a bucket with objects and registries with images."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "More tags for everything. The module's own, faceveil:deployment, says whose costs they are."
  type        = map(string)
  default     = {}
  nullable    = false
}
