"""A stream veiled as it happens: it leaves a short delay after it came, and never unveiled.

    source --> Window --> Looks (detector processes)          frames wait here for the delay
                 |           |
                 v           v
               Planner: the offline stages over the columns of the window --> veils of its frames
                 |
                 v
               Run: each frame when it is due: veiled, or replaced by one that is safe --> sink

`run` joins the parts. A frame is ready when faces were detected in a frame after it and in one
shortly before. What is not ready is never shown: it is replaced by the last frame that was veiled,
or by a blank one. Detection runs in processes of its own (`detector_process`), so that one that
hangs or dies only makes the picture blank until another has taken its place. `load` trades the
number of frames in which faces are detected, and their size, for time.
"""
