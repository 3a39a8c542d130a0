"""The account: credentials, clients, S3, and the translation of the services' error codes.

The only door to botocore and aioboto3. It may import `config`, `net` and what is below them.
Read `session` first, then `s3`.
"""
