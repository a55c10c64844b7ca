"""What an operator does with jobs in AWS, a module for each verb of `faceveil aws`."""
