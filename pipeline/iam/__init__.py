"""Least privilege: the policies as values, what of them an account lacks, and mending that."""
