"""What a config expects of its run, against what the run has.

`names` knows before the run what there will be; `judge` looks afterwards; `job` does so for many
configs. The form of the section is read in `gradlab.config.expect`.
"""
