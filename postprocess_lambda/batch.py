"""`faceveil-postprocess`: the image's program outside of Lambda (AWS Batch, SageMaker, by hand)."""

from __future__ import annotations

import sys

from faceveil.aws.postprocess.command import main

if __name__ == "__main__":
    sys.exit(main())
