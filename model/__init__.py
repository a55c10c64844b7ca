"""The SageMaker model artifact: the networks a server uses, and what must be known of them."""
