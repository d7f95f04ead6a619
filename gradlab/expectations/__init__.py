"""What a config expects of its run, against what the run has.

`names` knows before the run what there will be, `possible` refuses the rest; `judge` looks
afterwards. The form of the section is read in `gradlab.config.expect`.
"""
