"""The job system: what happens in AWS from the moment a job.json arrives until a job has ended.

What happens when, and where to read on
---------------------------------------
============================  ======================================  =============================
what happened                 what is done                            where
============================  ======================================  =============================
jobs/<id>/job.json is         a transform job is created, which       `submission.start_job`
written                       detects the faces
the transform job has ended   a second one is created for a sampled   `state_machine`,
                              job, else the detections are analysed   `on_transform_ended`
                              and the frames rendered, here or in
                              chunks by AWS Batch
a chunk runs in AWS Batch     its frames are veiled and verified;     `state_machine`,
                              the last chunk finishes the job         `render_one_chunk`
the array job has ended       what the chunks left is finished, or    `state_machine`,
                              the job is marked failed                `on_array_job_ended`
every five minutes            jobs that wait for machines are tried   `waiting`
                              again
every few hours               jobs idle for 24 hours are marked       `sweep.sweep`
                              failed
============================  ======================================  =============================

The functions that AWS calls lie in postprocess_lambda/: they parse the event, call one function of
this table and answer.

The parts
---------
`job`             job.json, read and checked; `job_folder` names what lies under jobs/<id>/
`job_run`         a job being worked on: what every step is given; `settings` makes one
`transforms`      the SageMaker jobs that detect
`detections`      the answers of those jobs, read in frame order
`steps`           analyse, render, finish: each may be repeated and makes the same objects
`chunks`          how the frames are divided, and where each chunk is rendered
`claims`          of several workers that want to do one thing, one does it
`status`          how far a job is; `client` is what a backend uses
`events`          what is announced on EventBridge; `failure` marks a job failed
`costs`           minutes and dollars of a job
"""
