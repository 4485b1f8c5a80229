"""A seccomp filter by system call: no sockets, programs, processes or threads, and no tampering with anything else.

The numbers are the kernel's own tables for x86_64 and arm64; on another machine there is no filter, and it says so.
Reads, writes and memory stay allowed; what came into the kernel after the tables were read is refused as unknown.
"""

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Iterable
from typing import Final

_LOAD, _EQUAL, _GREATER, _BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT, _SECOND_ARGUMENT_AT = 0, 4, 16, 24
_SET_SECCOMP, _FILTER_MODE = 22, 2
_X32: Final = 0x40000000
_NEWEST_REVIEWED: Final = 462
"""mseal, of Linux 6.10; from 424 on the numbers are the same everywhere."""

_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_ABSENT: Final = 0xFFFF
"""Stands where an architecture has no such call."""

Pair = tuple[int, int]
"""A call's number on x86_64 and on arm64."""

_SOCKETS: Final[dict[str, Pair]] = {
    "socket": (41, 198), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "connect": (42, 203),
}  # fmt: skip
_PROCESSES: Final[dict[str, Pair]] = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, _ABSENT), "vfork": (58, _ABSENT), "clone": (56, 220),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "kcmp": (312, 272), "move_pages": (279, 239), "migrate_pages": (256, 238), "prlimit64": (302, 261),
    "setrlimit": (160, 164), "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274), "sched_setparam": (142, 118), "sched_setaffinity": (203, 122),
}  # fmt: skip
_IDENTITY: Final[dict[str, Pair]] = {
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91), "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51),
    "personality": (135, 92), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
}  # fmt: skip
_FILES: Final[dict[str, Pair]] = {  # what Landlock does not cover
    "chmod": (90, _ABSENT), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, _ABSENT), "fchown": (93, 55), "lchown": (94, _ABSENT), "fchownat": (260, 54),
    "utime": (132, _ABSENT), "utimes": (235, _ABSENT), "futimesat": (261, _ABSENT), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "statmount": (457, 457),
    "listmount": (458, 458), "quotactl": (179, 60), "quotactl_fd": (443, 443), "landlock_create_ruleset": (444, 444),
}  # fmt: skip
_SHARED: Final[dict[str, Pair]] = {
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
}  # fmt: skip
_MACHINE: Final[dict[str, Pair]] = {
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "sethostname": (170, 161),
    "setdomainname": (171, 162), "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "iopl": (172, _ABSENT), "ioperm": (173, _ABSENT),
    "modify_ldt": (154, _ABSENT), "vhangup": (153, 58), "lsm_set_self_attr": (460, 460),
    "io_setup": (206, 0), "io_submit": (209, 2), "mincore": (27, 232), "remap_file_pages": (216, 234),
    "uselib": (134, _ABSENT), "lookup_dcookie": (212, 18), "sysfs": (139, _ABSENT),
}  # fmt: skip
_CLONE3: Final = 435

_FCNTL: Final[Pair] = (72, 25)
_FCNTL_COMMANDS: Final = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: a signal to any process, by way of a socket
_IOCTL: Final[Pair] = (16, 29)
_IOCTL_COMMANDS: Final = (0x8901, 0x8902, 0x5412)  # FIOSETOWN, SIOCSPGRP: the same; TIOCSTI: typing into a terminal
_PRCTL: Final[Pair] = (157, 167)
_PRCTL_OPTIONS: Final = (1, 4)
"""PR_SET_PDEATHSIG and PR_SET_DUMPABLE: it dies with its parent, and leaves no image, whatever it would like."""

_libc = ctypes.CDLL(None, use_errno=True)

Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def restrict_calls() -> bool:
    """Install the filter for this process, for good; return whether it took hold. Needs `no_new_privs`."""
    code = program(platform.machine())
    if code is None or sys.platform != "linux":
        return False
    buffer = ctypes.create_string_buffer(code)
    prepared = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    return int(_libc.prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(prepared), 0, 0)) == 0


def program(machine: str) -> bytes | None:
    """Return the filter for `machine` as classic BPF, or None where its system calls are not known."""
    if machine not in _ARCHITECTURES:
        return None
    column = 0 if machine == "x86_64" else 1
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),  # a call under another architecture's numbers
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if column == 0:
        code += [(_BIT, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    # to the C library "not there" means: there is clone(), which is refused; and so for what nobody has reviewed
    code += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += [(_GREATER, 0, 1, _NEWEST_REVIEWED), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for group in (_SOCKETS, _PROCESSES, _IDENTITY, _FILES, _SHARED, _MACHINE):
        for numbers in group.values():
            code += _refusal(numbers[column])
    code += _refusal_of_commands(_FCNTL[column], _FCNTL_COMMANDS)
    code += _refusal_of_commands(_IOCTL[column], _IOCTL_COMMANDS)
    code += _refusal_of_commands(_PRCTL[column], _PRCTL_OPTIONS, argument_at=_FIRST_ARGUMENT_AT)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def _refusal(number: int) -> list[Instruction]:
    return [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]


def _refusal_of_commands(
    number: int, commands: Iterable[int], *, argument_at: int = _SECOND_ARGUMENT_AT
) -> list[Instruction]:
    """Refuse a call whose argument there (its lower half, on little-endian machines) is one of `commands`."""
    checks: list[Instruction] = []
    for command in commands:
        checks += _refusal(command)
    return [
        (_EQUAL, 0, len(checks) + 2, number),
        (_LOAD, 0, 0, argument_at),
        *checks,
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
