"""One call over the network: its pace, its slot, its retries and its HTTP client.

It may import `model`, `errors`, `naming`, `files`, `text` and `logs` alone, and knows no service:
the clients of AWS and of Label Studio are built on it alike. Read `retry` first, then `rate_limit`
and `concurrency`.
"""
