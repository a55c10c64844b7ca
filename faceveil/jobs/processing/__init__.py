"""SageMaker Processing jobs: detection, analysis and rendering in one kind of job.

Every host has what it needs in folders and no way out: SageMaker itself brings frames, photos and
job.json from S3, and takes the results there. So hosts do not talk to each other, either; what one
must know of another passes through S3, between two Processing jobs.

    one host       NAME--<id>          detects in all frames, analyses, veils and verifies
    several hosts  NAME--<id>          each detects in the frames it was given
                   NAME--<id>-render   each analyses all detections, and veils a range of frames
    then           state change           `ended`: the results brought together as of any other job

Following people and deciding about them is never divided: every host that renders does it for the
whole video, from the same files, so that no sequence and no identity ends where a range does. A
host whose analysis were to differ would leave its result under another digest, where it is missed,
and the job fails.

`request`   the request of CreateProcessingJob        `host`     the folders of a host
`create`    one job of any number of events           `work`     what a host does
`ended`     what follows the end of a Processing job  `problem`  how a container says what failed
"""
