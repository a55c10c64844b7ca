"""`faceveil aws`: its verbs, found here without importing what they need."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from faceveil.cli.aws.face_search import add_commands as add_face_search
from faceveil.cli.aws.options import ADD_VERBS
from faceveil.errors import UsageError

EXIT_INTERRUPTED = 130

DESCRIPTION = """\
Veil videos in AWS: bring them, start jobs, watch them and fetch what came of them.

  faceveil aws estimate talk.mp4                          what it will take: time and money
  faceveil aws upload talk.mp4 --job talk-1               its frames, into the bucket
  faceveil aws submit talk-1 --keep photos/anchor/        job.json, which starts the job
  faceveil aws watch talk-1                               until it has ended
  faceveil aws download talk-1 talk-1/                    veiled frames, report, video
  faceveil aws assemble talk-1/veiled/ out.mp4 --source talk.mp4
  faceveil aws cleanup talk-1 --features --frames         what need not stay

  faceveil aws build-images                               for the deployment (terraform/)
  faceveil aws face-search talk.mp4 analysis.json …       Rekognition instead of our networks

Where the deployment is: --outputs outputs.json (`terraform output -json > outputs.json`), or
FACEVEIL_BUCKET, FACEVEIL_BUCKET_OWNER, FACEVEIL_INSTANCE_TYPE and FACEVEIL_INSTANCE_COUNT, or an
option of the command; the option counts before the environment, and that before the file.
Credentials and region are boto3's own (AWS_PROFILE, AWS_REGION). --dry-run shows what would happen.
"""


def add_aws(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `aws` and its verbs to the commands of `faceveil`."""
    parser = commands.add_parser(
        "aws",
        help="veil videos in AWS: upload, submit, watch, download …",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in (*ADD_VERBS, add_face_search):
        add(verbs)
    for verb in verbs.choices.values():
        does = verb.get_default("module"), verb.get_default("command")
        verb.set_defaults(does=does, module=__name__, command="run")


def run(options: argparse.Namespace) -> int:
    """Do what the verb does. Raises UsageError where the extra `aws` is not installed."""
    module, command = options.does
    try:
        code: int = getattr(import_module(module), command)(options)
    except ModuleNotFoundError as problem:
        if problem.name not in ("boto3", "botocore"):
            raise
        raise UsageError("`faceveil aws` needs boto3: pip install 'faceveil[aws]'") from problem
    except KeyboardInterrupt:
        print("\nfaceveil: interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    return code
