"""The review studio: at the scale of hours of video, and in the hands of a person."""
