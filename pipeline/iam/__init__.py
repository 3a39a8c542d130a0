"""Least privilege: the policies as values, what of them an account lacks, and applying that.

It may import `aws` and what is below it. Read `policies` first, then `diff`; `current` reads what
the account has, `apply` changes it.
"""
