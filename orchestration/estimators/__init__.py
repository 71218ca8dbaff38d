"""Statistical models that are fitted on small aggregates: arrays in, numbers out.

Pure functions over numpy arrays: no files, no database, no clock, no unseeded random. What is
counted, and where the results go, is decided by the assets that call them.
"""
