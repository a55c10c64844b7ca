"""AWS's services, thin: clients, typed calls, objects in S3, what errors mean.

Only this package imports boto3 and botocore (tests/test_layers.py).
"""
