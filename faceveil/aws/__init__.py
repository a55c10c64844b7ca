"""AWS's services, thin: clients, objects in S3, what errors mean. Only these import boto3."""
