"""Networks: the manifest, licences, fetching, conversion to ONNX, the cache, and sessions.

`store.locate` returns the files of a network: from the `cache`, or fetched (`fetch`) and converted
(`convert`) on first use; `session` opens them.
"""
