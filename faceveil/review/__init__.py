"""The review studio: a page in the browser in which a person looks, chooses and corrects.

`serve` runs it on this machine. `app.review_app` is the same as a Starlette application, which a
backend mounts. The page is built from web/ into static/.
"""
