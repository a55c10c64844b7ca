"""AWS Lambda's and Batch's entrypoints of post-processing: parse, call the library, answer."""
