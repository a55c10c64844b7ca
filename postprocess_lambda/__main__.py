"""The image's entrypoint. In Lambda its argument is a handler, elsewhere those of
`faceveil-postprocess`: AWS Batch can give a container words, but no other entrypoint.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Serve Lambda's runtime API where there is one, else run the command once."""
    if "AWS_LAMBDA_RUNTIME_API" in os.environ:
        from awslambdaric.__main__ import main as serve  # type: ignore[import-untyped]

        serve(sys.argv)
        return 0
    from postprocess_lambda.batch import main as batch

    return batch()


if __name__ == "__main__":
    sys.exit(main())
