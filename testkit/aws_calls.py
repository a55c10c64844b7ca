"""What AWS asks a role for when a program makes a call of boto3."""

HERE = "eu-west-1:123456789012"
BUCKET = "arn:aws:s3:::faceveil-123456789012-eu-west-1"
MODEL = f"arn:aws:sagemaker:{HERE}:model/faceveil-0123456789ab"


def asked(call):
    """(action, resource, context) of all that AWS asks the role for at this call."""
    service, operation, given = call["service"], call["operation"], call["parameters"]
    return _ASKED[service](operation, given)


def _s3(operation, given):
    key = f"{BUCKET}/{given.get('Key', '')}"
    if operation == "ListObjectsV2":
        return [("s3:ListBucket", BUCKET, {"s3:prefix": given.get("Prefix", "")})]
    if operation == "DeleteObjects":
        keys = [each["Key"] for each in given["Delete"]["Objects"]]
        return [("s3:DeleteObject", f"{BUCKET}/{name}", {}) for name in keys]
    if operation == "CopyObject":
        source = f"{BUCKET}/{given['CopySource']['Key']}"
        return [("s3:GetObject", source, {}), ("s3:PutObject", key, {})]
    action = {"HeadObject": "GetObject"}.get(operation, operation)
    return [(f"s3:{action}", key, {})]


def _sagemaker(operation, given):
    job = f"arn:aws:sagemaker:{HERE}:transform-job/{given['TransformJobName']}"
    requests = [(f"sagemaker:{operation}", job, {"sagemaker:ModelArn": MODEL})]
    return requests + ([("sagemaker:AddTags", job, {})] if given.get("Tags") else [])


def _batch(operation, given):
    places = {"job-queue": given["jobQueue"], "job-definition": given["jobDefinition"]}
    arns = [f"arn:aws:batch:{HERE}:{kind}/{name}" for kind, name in places.items()]
    requests = [(f"batch:{operation}", arn, {}) for arn in arns]
    job = f"arn:aws:batch:{HERE}:job/11111111-2222"
    return requests + ([("batch:TagResource", job, {})] if given.get("tags") else [])


def _events(operation, given):
    return [
        (
            f"events:{operation}",
            f"arn:aws:events:{HERE}:event-bus/{entry['EventBusName']}",
            {"events:source": entry["Source"]},
        )
        for entry in given["Entries"]
    ]


_ASKED = {"s3": _s3, "sagemaker": _sagemaker, "batch": _batch, "events": _events}
