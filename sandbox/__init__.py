"""Confined processes, their channels and the egress broker.

On the hub's side: `launch` starts and feeds the zygote, `host` runs phases in a process of it, `broker` carries what
comes out of one, with `requests` and `answers` reading both ways, `sign_in`, `tokens` and `upstream` holding what it
must not see, `pace` keeping to what a system bears, `line` and `reach` being the way itself, and `mail` with `smtp`
the way to mail servers. On the other side of the fork: `zygote`, `child`, `isolation`, `confinement` with `landlock`
and `seccomp`. `frames` is between.
"""
