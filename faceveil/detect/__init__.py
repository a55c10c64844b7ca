"""A frame in, faces out.

`analyzer` joins a detector (`union` of `mtcnn` and `centerface`, or one of the others), `align` and
a recogniser (`arcface`, `dlib_resnet`). `detector` has what all detectors share.
"""
