"""How well an output agrees with labelled truth.

`truth` is what is true in a clip (read by `truth_formats`), `output` what a program covers;
`judging` compares the two, with `coverage` and `measures`. `evaluate_files` does all of it for
files, and `html_report` draws the page.
"""
