"""What a person changed after looking: a document beside the analysis, and how it is applied.

`entries` are the changes, `document` is their file, `apply` makes a corrected analysis of them.
"""
