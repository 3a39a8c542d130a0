"""Would a run go well? Each question is a check, asked beside the others and by trying.

It may import everything that a run does, and `label_studio`. Read `examination` first: which
checks there are, and what each reads of the settings; then `runner`, their limits of time and what
an error means, and `findings`, what a check reports. `bucket_checks` and `service_checks` list the
checks of an account, which the other files hold one by one.
Nothing is paid for: no job is started, and the one object written is removed again.
"""
