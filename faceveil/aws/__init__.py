"""Jobs in the cloud, and the same jobs on this machine. boto3 is imported only in here."""
