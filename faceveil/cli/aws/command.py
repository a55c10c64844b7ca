"""`faceveil aws`: its description, and its verbs."""

from __future__ import annotations

import argparse

from faceveil.cli.arguments import Commands
from faceveil.cli.aws.assemble import add_assemble_parser
from faceveil.cli.aws.build_images import add_build_images_parser
from faceveil.cli.aws.cleanup import add_cleanup_parser
from faceveil.cli.aws.costs import add_costs_parser
from faceveil.cli.aws.doctor import add_doctor_parser
from faceveil.cli.aws.download import add_download_parser
from faceveil.cli.aws.estimate import add_estimate_parser
from faceveil.cli.aws.face_search import add_face_search_parser
from faceveil.cli.aws.redrive import add_redrive_parser
from faceveil.cli.aws.render_again import add_render_again_parser
from faceveil.cli.aws.retry import add_retry_parser
from faceveil.cli.aws.smoke import add_smoke_parser
from faceveil.cli.aws.stop import add_stop_parser
from faceveil.cli.aws.submit import add_submit_parser
from faceveil.cli.aws.upload import add_upload_parser
from faceveil.cli.aws.watch import add_watch_parser

DESCRIPTION = """\
Veil videos in AWS: upload them, start jobs, watch them, and download the results.

  faceveil aws estimate talk.mp4                          time and money it will take
  faceveil aws upload talk.mp4 --job talk-1               its frames, into the bucket
  faceveil aws submit talk-1 --keep photos/anchor/        job.json, which starts the job
  faceveil aws watch talk-1                               until it has ended
  faceveil aws stop talk-1                                end it now, and pay no more for it
  faceveil aws retry talk-1                               try it again after a failure
  faceveil aws render-again talk-1 talk-2 --corrections talk-1.corrections.json
  faceveil aws download talk-1 talk-1/                    veiled frames, report, video
  faceveil aws assemble talk-1/veiled/ out.mp4 --source talk.mp4
  faceveil aws costs talk-1                               what it was billed, by its tag
  faceveil aws cleanup talk-1 --features --frames         delete what is no longer needed

  faceveil aws doctor --outputs outputs.json              what account and deployment lack
  faceveil aws smoke portrait.jpg                         two frames through everything
  faceveil aws build-images                               for the deployment (terraform/)
  faceveil aws face-search talk.mp4 analysis.json …       Rekognition instead of our networks
  faceveil aws redrive                                    deliver lost events again

The deployment is named by an option of the command, by an environment variable (FACEVEIL_BUCKET,
FACEVEIL_BUCKET_OWNER, FACEVEIL_INSTANCE_TYPE, FACEVEIL_INSTANCE_COUNT) or by Terraform's outputs
(`terraform output -json > outputs.json`, then --outputs outputs.json); the first of these that
says something counts. Credentials and region are boto3's own (AWS_PROFILE, AWS_REGION). --dry-run
shows what would happen.
"""


def add_aws_parser(commands: Commands) -> None:
    """Add `aws` and its verbs to the commands."""
    parser = commands.add_parser(
        "aws",
        help="veil videos in AWS: upload, submit, watch, download …",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    add_estimate_parser(verbs)
    add_upload_parser(verbs)
    add_submit_parser(verbs)
    add_watch_parser(verbs)
    add_stop_parser(verbs)
    add_retry_parser(verbs)
    add_render_again_parser(verbs)
    add_download_parser(verbs)
    add_assemble_parser(verbs)
    add_costs_parser(verbs)
    add_cleanup_parser(verbs)
    add_doctor_parser(verbs)
    add_smoke_parser(verbs)
    add_build_images_parser(verbs)
    add_face_search_parser(verbs)
    add_redrive_parser(verbs)
    for verb in verbs.choices.values():
        verb.set_defaults(interrupted="run the same command again to continue")
