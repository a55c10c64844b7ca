"""Each role has what it needs and no more; the reader of policies decides as IAM does."""

import pytest

from testkit.iam_policies import allows, denials_of, resources_of, roles_of, statements_of

BUCKET = "arn:aws:s3:::faceveil-123456789012-eu-west-1"
HERE = "eu-west-1:123456789012"
FRAME = f"{BUCKET}/frames/1/img0000001.png"
DETECTION = f"{BUCKET}/detections/1/img0000001.png.out"
BUS = f"arn:aws:events:{HERE}:event-bus/default"
FAILURES = f"arn:aws:sqs:{HERE}:faceveil-failures"
QUEUE = f"arn:aws:batch:{HERE}:job-queue/faceveil-render"
DEFINITION = f"arn:aws:batch:{HERE}:job-definition/faceveil-render"
IMAGES = f"arn:aws:ecr:{HERE}:repository/faceveil"
MODEL = f"arn:aws:sagemaker:{HERE}:model"
TRANSFORM = f"arn:aws:sagemaker:{HERE}:transform-job/faceveil--1"
SECOND = f"{TRANSFORM}-refine"
PROCESSING = f"arn:aws:sagemaker:{HERE}:processing-job/faceveil--1"
PROCESSING_ROLE = "arn:aws:iam::123456789012:role/faceveil-eu-west-1-processing"
TO_SAGEMAKER = {"iam:PassedToService": "sagemaker.amazonaws.com"}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
DETECTIONS_KEY = KEY.replace("key/0", "key/d")
JOB = f"arn:aws:sagemaker:{HERE}:transform-job"
# Actions that AWS cannot limit to a resource (its service authorization reference says so).
UNLIMITED = {
    "cloudwatch:PutMetricData",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:GetAuthorizationToken",
    "ecs:DiscoverPollEndpoint",
}


def policy(*statements):
    return statements_of({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect, action, resource, **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def test_a_deny_wins_and_silence_is_a_deny():
    role = policy(
        statement("Allow", ["s3:PutObject"], ["arn:aws:s3:::b/jobs/*"]),
        statement("Deny", "s3:PutObject", "arn:aws:s3:::b/jobs/*/job.json"),
    )
    assert allows(role, "s3:PutObject", "arn:aws:s3:::b/jobs/1/veiled/a.png")
    assert allows(role, "S3:putobject", "arn:aws:s3:::b/jobs/1/report.json")
    assert not allows(role, "s3:PutObject", "arn:aws:s3:::b/jobs/1/job.json")
    assert not allows(role, "s3:PutObject", "arn:aws:s3:::b/frames/1")
    assert not allows(role, "s3:DeleteObject", "arn:aws:s3:::b/jobs/1/report.json")


def test_wildcards_are_only_the_star_and_the_question_mark():
    role = policy(statement("Allow", "s3:Get*", "arn:aws:s3:::b/[ab]/?.png"))
    assert allows(role, "s3:GetObject", "arn:aws:s3:::b/[ab]/1.png")
    assert not allows(role, "s3:GetObject", "arn:aws:s3:::b/a/1.png")
    assert not allows(role, "s3:GetObject", "arn:aws:s3:::b/[ab]/11.png")


def test_conditions_need_their_key():
    role = policy(
        statement(
            "Allow", "s3:ListBucket", "b", Condition={"StringLike": {"s3:prefix": ["jobs/*"]}}
        )
    )
    assert allows(role, "s3:ListBucket", "b", {"s3:prefix": "jobs/1/"})
    assert not allows(role, "s3:ListBucket", "b", {"s3:prefix": "frames/1/"})
    assert not allows(role, "s3:ListBucket", "b")
    exists = {"StringLikeIfExists": {"s3:prefix": ["jobs/*"]}}
    role = policy(statement("Allow", "s3:ListBucket", "b", Condition=exists))
    assert allows(role, "s3:ListBucket", "b")
    assert not allows(role, "s3:ListBucket", "b", {"s3:prefix": "frames/1/"})


def test_what_is_not_understood_is_an_error():
    with pytest.raises(ValueError, match="NotAction"):
        policy({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"})
    with pytest.raises(ValueError, match="DateLessThan"):
        policy(statement("Allow", "s3:GetObject", "*", Condition={"DateLessThan": {"k": "v"}}))


@pytest.fixture(scope="session")
def roles(module_test):
    return roles_of(module_test.states["defaults"])


@pytest.fixture(scope="session")
def all_roles(module_test):
    """Of the smallest and the largest deployment."""
    return [
        (name, statements)
        for run in ("defaults", "private_network")
        for name, statements in roles_of(module_test.states[run]).items()
    ]


@pytest.mark.slow
def test_no_wildcard_actions_and_resources_only_where_aws_cannot_name_them(all_roles):
    assert len(all_roles) == 9 + 12
    for role, statements in all_roles:
        assert statements
        for each in statements:
            assert not [action for action in each.actions if "*" in action], (role, each)
            if each.effect == "Allow" and "*" in each.resources:
                assert set(each.actions) <= UNLIMITED, (role, each)
            assert all(arn == "*" or arn.startswith("arn:aws:") for arn in each.resources)


@pytest.mark.slow
def test_no_role_is_for_two(module_test):
    for run, count in (("defaults", 9), ("private_network", 12)):
        found = list(resources_of(module_test.states[run]))
        names = [each["values"]["name"] for each in found if each["type"] == "aws_iam_role"]
        assert len(set(names)) == len(names) == count


@pytest.mark.slow
@pytest.mark.parametrize(
    "role", ["submit", "postprocess", "finish", "sweep", "waiting", "render", "processing", "model"]
)
def test_nothing_that_runs_a_job_starts_one(roles, role):
    key = f"{BUCKET}/jobs/other/job.json"
    assert not allows(roles[role], "s3:PutObject", key)
    assert not allows(roles[role], "s3:DeleteObject", key)


OWN_MODEL = {"sagemaker:ModelArn": f"{MODEL}/faceveil-0123456789ab"}
MAY = [
    ("submit", "s3:GetObject", f"{BUCKET}/jobs/1/job.json", {}),
    ("submit", "s3:PutObject", f"{BUCKET}/jobs/1/error.json", {}),
    ("submit", "s3:DeleteObject", f"{BUCKET}/jobs/1/error.json", {}),
    ("submit", "s3:ListBucket", BUCKET, {"s3:prefix": "frames/1/"}),
    # Asked when an object does not exist; README.md, "Rights", says its price.
    ("submit", "s3:ListBucket", BUCKET, {}),
    ("model", "s3:ListBucket", BUCKET, {"s3:prefix": "frames/1/"}),
    ("submit", "sagemaker:CreateTransformJob", TRANSFORM, OWN_MODEL),
    ("submit", "sagemaker:AddTags", TRANSFORM, {}),
    ("submit", "events:PutEvents", BUS, {"events:source": "faceveil"}),
    ("submit", "sqs:SendMessage", FAILURES, {}),
    ("model", "s3:GetObject", FRAME, {}),
    ("model", "s3:PutObject", DETECTION, {}),
    ("model", "ecr:BatchGetImage", f"{IMAGES}-server", {}),
    ("postprocess", "s3:GetObject", DETECTION, {}),
    ("postprocess", "s3:PutObject", f"{BUCKET}/jobs/1/veiled/img0000001.png", {}),
    ("postprocess", "sagemaker:CreateTransformJob", SECOND, OWN_MODEL),
    ("postprocess", "sagemaker:AddTags", SECOND, {}),
    ("postprocess", "sagemaker:DescribeTransformJob", SECOND, {}),
    ("postprocess", "batch:SubmitJob", QUEUE, {}),
    ("postprocess", "batch:SubmitJob", f"{DEFINITION}:3", {}),
    ("render", "s3:GetObject", FRAME, {}),
    ("finish", "s3:DeleteObject", DETECTION, {}),
    ("finish", "batch:SubmitJob", QUEUE, {}),
    (
        "finish",
        "batch:TagResource",
        f"arn:aws:batch:{HERE}:job/1",
        {"aws:TagKeys": "faceveil:job-id"},
    ),
    ("finish", "s3:PutObject", f"{BUCKET}/jobs/1/_SUCCESS", {}),
    ("sweep", "s3:PutObject", f"{BUCKET}/jobs/1/error.json", {}),
    ("submit", "s3:PutObject", f"{BUCKET}/jobs/.waiting/1", {}),
    ("submit", "s3:DeleteObject", f"{BUCKET}/jobs/.ended/1", {}),
    ("sweep", "s3:PutObject", f"{BUCKET}/jobs/.ended/1", {}),
    ("waiting", "s3:DeleteObject", f"{BUCKET}/jobs/.waiting/1", {}),
    ("waiting", "s3:GetObject", f"{BUCKET}/detections/1/img0000001.jpg.out", {}),
    ("sweep", "sagemaker:DescribeTransformJob", TRANSFORM, {}),
    ("waiting", "sagemaker:CreateTransformJob", f"{TRANSFORM}-try2", OWN_MODEL),
    ("postprocess", "sagemaker:CreateTransformJob", f"{SECOND}-try2", OWN_MODEL),
    ("render-start", "ecr:BatchGetImage", f"{IMAGES}-postprocess", {}),
    ("submit", "sagemaker:CreateProcessingJob", PROCESSING, {}),
    ("submit", "s3:ListBucket", BUCKET, {"s3:prefix": "detections/1/"}),
    ("waiting", "sagemaker:CreateProcessingJob", f"{PROCESSING}-render", {}),
    ("postprocess", "sagemaker:CreateProcessingJob", f"{PROCESSING}-render-try2", {}),
    ("postprocess", "iam:PassRole", PROCESSING_ROLE, TO_SAGEMAKER),
    ("sweep", "sagemaker:DescribeProcessingJob", PROCESSING, {}),
    ("processing", "s3:GetObject", FRAME, {}),
    ("processing", "s3:PutObject", f"{BUCKET}/jobs/1/veiled/img0000001.png", {}),
    ("processing", "s3:PutObject", DETECTION, {}),
    ("processing", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
    ("model", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
    ("submit", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
    ("postprocess", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
    ("waiting", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
    ("sweep", "s3:GetObject", f"{BUCKET}/jobs/1/submit/names.json", {}),
    ("processing", "ecr:BatchGetImage", f"{IMAGES}-postprocess", {}),
]
MAY_NOT = [
    ("submit", "s3:GetObject", DETECTION, {}),
    ("submit", "s3:DeleteObject", f"{BUCKET}/jobs/1/submit/started.json", {}),
    ("submit", "s3:DeleteObject", f"{BUCKET}/jobs/1/_SUCCESS", {}),
    ("submit", "s3:PutObject", f"{BUCKET}/jobs/1/_SUCCESS", {}),
    ("submit", "sagemaker:CreateTransformJob", TRANSFORM, {"sagemaker:ModelArn": f"{MODEL}/other"}),
    (
        "submit",
        "sagemaker:CreateTransformJob",
        TRANSFORM,
        {"sagemaker:ModelArn": f"{MODEL}/faceveil-private-0123456789ab"},
    ),
    ("model", "s3:ListBucket", BUCKET, {}),
    ("submit", "iam:PassRole", "arn:aws:iam::123456789012:role/faceveil-eu-west-1-model", {}),
    ("submit", "events:PutEvents", BUS, {"events:source": "aws.s3"}),
    ("model", "s3:PutObject", FRAME, {}),
    ("model", "s3:GetObject", f"{BUCKET}/jobs/1/references/anna/1.jpg", {}),
    ("model", "s3:GetObject", DETECTION, {}),
    ("postprocess", "s3:PutObject", FRAME, {}),
    ("postprocess", "sagemaker:CreateTransformJob", TRANSFORM, OWN_MODEL),
    ("postprocess", "sagemaker:CreateTransformJob", SECOND, {"sagemaker:ModelArn": f"{MODEL}/x"}),
    ("postprocess", "iam:PassRole", "arn:aws:iam::123456789012:role/faceveil-eu-west-1-model", {}),
    ("finish", "sagemaker:CreateTransformJob", SECOND, OWN_MODEL),
    ("waiting", "s3:DeleteObject", DETECTION, {}),
    ("waiting", "batch:SubmitJob", QUEUE, {}),
    ("render", "batch:SubmitJob", QUEUE, {}),
    ("render", "sqs:SendMessage", FAILURES, {}),
    ("render", "s3:ListBucket", BUCKET, {"s3:prefix": ""}),
    ("sweep", "s3:GetObject", f"{BUCKET}/jobs/1/job.json", {}),
    ("waiting", "s3:PutObject", f"{BUCKET}/jobs/1/analysis.json", {}),
    ("waiting", "s3:GetObject", f"{BUCKET}/frames/1/img0000001.jpg", {}),
    ("sweep", "s3:DeleteObject", f"{BUCKET}/jobs/1/error.json", {}),
    ("sweep", "s3:ListBucket", BUCKET, {"s3:prefix": "detections/1/"}),
    ("render-start", "s3:GetObject", FRAME, {}),
    ("postprocess", "sagemaker:CreateProcessingJob", PROCESSING, {}),
    ("postprocess", "iam:PassRole", PROCESSING_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    ("finish", "sagemaker:CreateProcessingJob", f"{PROCESSING}-render", {}),
    ("finish", "iam:PassRole", PROCESSING_ROLE, TO_SAGEMAKER),
    ("processing", "s3:DeleteObject", DETECTION, {}),
    ("processing", "s3:PutObject", FRAME, {}),
    ("processing", "events:PutEvents", BUS, {"events:source": "faceveil"}),
    ("processing", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "false"}),
    ("finish", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
    ("submit", "sagemaker:CreateTransformJob", f"{JOB}/faceveil-1", OWN_MODEL),
    ("submit", "sagemaker:CreateTransformJob", f"{JOB}/faceveil-private--1", OWN_MODEL),
    ("sweep", "sagemaker:DescribeTransformJob", f"{JOB}/faceveil-private--1", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("role", "action", "resource", "context"), MAY)
def test_roles_may_do_their_work(roles, role, action, resource, context):
    assert allows(roles[role], action, resource, context)


@pytest.mark.slow
@pytest.mark.parametrize(("role", "action", "resource", "context"), MAY_NOT)
def test_roles_may_do_nothing_else(roles, role, action, resource, context):
    assert not allows(roles[role], action, resource, context)


@pytest.mark.slow
def test_a_backend_brings_jobs_and_sees_no_features(module_test):
    backend = statements_of(module_test.states["defaults"]["outputs"]["backend_policy"]["value"])
    for key in (
        "jobs/1/job.json",
        "jobs/1/corrections.json",
        "jobs/1/corrections/0123456789abcdef.json",
        "jobs/1/references/anna/1.jpg",
        "frames/1/img0000001.png",
    ):
        assert allows(backend, "s3:PutObject", f"{BUCKET}/{key}")
    assert allows(backend, "s3:GetObject", f"{BUCKET}/jobs/1/veiled/img0000001.png")
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert not allows(backend, action, DETECTION)
    assert not allows(backend, "s3:PutObject", f"{BUCKET}/jobs/1/_SUCCESS")
    # It counts the frames that are done by their names.
    assert allows(backend, "s3:ListBucket", BUCKET, {"s3:prefix": "detections/1/"})
    assert not allows(backend, "s3:ListBucket", BUCKET, {"s3:prefix": "face-search/"})


@pytest.mark.slow
def test_only_what_handles_features_uses_their_key(roles, module_test):
    """That key is not the one of results, which backends and producers may use."""
    via_s3 = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}
    readers = {
        role
        for role, rights in roles.items()
        if allows(rights, "kms:Decrypt", DETECTIONS_KEY, via_s3)
    }
    assert readers == FEATURE_ROLES
    outputs = module_test.states["defaults"]["outputs"]
    assert outputs["detections_kms_key_arn"]["value"] == DETECTIONS_KEY
    for policy in ("backend_policy", "operator_policy"):
        rights = statements_of(outputs[policy]["value"])
        assert allows(rights, "kms:Decrypt", KEY, via_s3)
        assert not allows(rights, "kms:Decrypt", DETECTIONS_KEY, via_s3)


@pytest.mark.slow
def test_frames_of_another_account_are_read_below_their_prefix_and_nowhere_written(module_test):
    """Only in the bucket of that account: the name alone may be another's tomorrow."""
    roles = roles_of(module_test.states["frames_of_another_account"])
    bucket, theirs = "arn:aws:s3:::news-raw", {"aws:ResourceAccount": "210987654321"}
    frame, via_s3 = f"{bucket}/clips/1/img1.png", {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}
    key = "arn:aws:kms:eu-west-1:210987654321:key/33333333-3333-3333-3333-333333333333"
    listing = theirs | {"s3:prefix": "clips/1/"}
    for role in ("submit", "waiting", "model", "processing", "postprocess", "finish", "render"):
        assert allows(roles[role], "s3:ListBucket", bucket, listing), role
        assert not allows(roles[role], "s3:PutObject", frame, theirs), role
    for role in ("model", "processing", "postprocess", "finish", "render"):
        assert allows(roles[role], "s3:GetObject", frame, theirs), role
        assert allows(roles[role], "kms:Decrypt", key, via_s3), role
        assert not allows(roles[role], "s3:GetObject", frame, {"aws:ResourceAccount": "1"}), role
        assert not allows(roles[role], "s3:GetObject", f"{bucket}/mail/1.png", theirs), role
    assert not allows(roles["sweep"], "s3:GetObject", frame, theirs)


FEATURE_ROLES = {"model", "postprocess", "finish", "waiting", "render", "processing"}
TLS = {"aws:SecureTransport": "true"}


def role_arn(role):
    return f"arn:aws:iam::123456789012:role/faceveil-eu-west-1-{role}"


@pytest.mark.slow
def test_only_the_roles_that_need_features_reach_them_whatever_else_is_allowed(module_test, roles):
    policies = resources_of(module_test.states["defaults"])
    bucket = next(each for each in policies if each["type"] == "aws_s3_bucket_policy")
    denials = denials_of(bucket["values"]["policy"])
    everything = policy(statement("Allow", "*", "*"))
    for action in ("s3:GetObject", "s3:PutObject"):
        for principal in (role_arn("submit"), role_arn("administrator"), role_arn("model-copy")):
            context = {**TLS, "aws:PrincipalArn": principal}
            assert not allows([*everything, *denials], action, DETECTION, context)
            assert allows([*everything, *denials], action, FRAME, context)
        may = {
            role
            for role, statements in roles.items()
            if allows(statements, action, DETECTION)
            and allows([*statements, *denials], action, DETECTION, own(role))
        }
        assert may == {role for role in roles if allows(roles[role], action, DETECTION)}
        assert may <= FEATURE_ROLES
    # Features are deleted on request by those who run the deployment.
    assert allows([*everything, *denials], "s3:DeleteObject", DETECTION, own("administrator"))
    plain = {"aws:SecureTransport": "false"}
    assert not allows([*everything, *denials], "s3:GetObject", FRAME, plain)


def own(role):
    return {**TLS, "aws:PrincipalArn": role_arn(role)}


REKOGNITION = f"arn:aws:rekognition:{HERE}:collection/faceveil-0123"
OPERATOR_MAY = [
    ("s3:DeleteObject", DETECTION, {}),
    ("s3:DeleteObject", FRAME, {}),
    ("s3:DeleteObject", f"{BUCKET}/jobs/1/veiled/img0000001.png", {}),
    ("s3:GetObject", f"{BUCKET}/jobs/1/report.json", {}),
    ("s3:ListBucket", BUCKET, {"s3:prefix": "face-search/"}),
    ("s3:PutObject", f"{BUCKET}/jobs/1/error.json", {}),
    ("s3:PutObject", f"{BUCKET}/face-search/talk.mp4", {}),
    ("events:PutEvents", BUS, {"events:source": "faceveil"}),
    ("sagemaker:StopTransformJob", TRANSFORM, {}),
    (
        "batch:TerminateJob",
        f"arn:aws:batch:{HERE}:job/1",
        {"aws:ResourceTag/faceveil:job-id": "talk"},
    ),
    ("sqs:ReceiveMessage", FAILURES, {}),
    ("sqs:DeleteMessage", FAILURES, {}),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:faceveil-submit", {}),
    ("rekognition:CreateCollection", REKOGNITION, {}),
    ("rekognition:IndexFaces", REKOGNITION, {}),
    ("rekognition:StartFaceSearch", REKOGNITION, {}),
    ("rekognition:GetFaceSearch", "*", {}),
    ("rekognition:DeleteCollection", REKOGNITION, {}),
]
OPERATOR_MAY_NOT = [
    ("s3:GetObject", DETECTION, {}),
    ("s3:PutObject", f"{BUCKET}/jobs/1/_SUCCESS", {}),
    ("batch:TerminateJob", f"arn:aws:batch:{HERE}:job/1", {}),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:faceveil-private-submit", {}),
    ("rekognition:DeleteCollection", f"arn:aws:rekognition:{HERE}:collection/staff", {}),
]


@pytest.mark.slow
def test_an_operator_stops_cleans_up_sends_again_and_searches_and_sees_no_features(module_test):
    operator = statements_of(module_test.states["defaults"]["outputs"]["operator_policy"]["value"])
    assert [case for case in OPERATOR_MAY if not allows(operator, *case)] == []
    assert [case for case in OPERATOR_MAY_NOT if allows(operator, *case)] == []
