"""Would a run go well? Each question is a check, asked beside the others and by trying.

It may import everything that a run does, and `label_studio`. Read `examination` first: which
checks there are; then `runner`, their limits of time and what an error means, `findings`, what a
check reports, and `amazon`, the checks of an account, which the other files hold one by one.
Nothing is paid for: no job is started, and the one object written is removed again.
"""
