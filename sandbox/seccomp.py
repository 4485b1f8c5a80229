"""A seccomp filter by system call: no sockets, no programs, no processes, no tampering with others.

The numbers are the kernel's own tables for x86_64 and for arm64; on another machine there is no filter, and it says so.
"""

import ctypes
import errno
import platform
import struct
from typing import Final

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_CLONE_THREAD: Final = 0x00010000
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_X32: Final = 0x40000000

_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_ABSENT: Final = 0xFFFF
"""Stands where an architecture has no such call."""

# by name, the number on x86_64 and on arm64
_DENIED: Final[dict[str, tuple[int, int]]] = {
    "socket": (41, 198), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "connect": (42, 203), "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "kill": (62, 129),
    "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432), "mount_setattr": (442, 442),
    "unshare": (272, 97), "setns": (308, 268), "fork": (57, _ABSENT), "vfork": (58, _ABSENT),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "open_by_handle_at": (304, 265),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "sethostname": (170, 161), "setdomainname": (171, 162), "setuid": (105, 146), "setgid": (106, 144),
    "setreuid": (113, 145), "setregid": (114, 143), "setresuid": (117, 147), "setresgid": (119, 149),
    "setgroups": (116, 159), "capset": (126, 91), "setpriority": (141, 140), "prlimit64": (302, 261),
    "setrlimit": (160, 164), "personality": (135, 92), "memfd_create": (319, 279), "msgget": (68, 186),
    "semget": (64, 190), "shmget": (29, 194), "mq_open": (240, 180), "landlock_create_ruleset": (444, 444),
}  # fmt: skip
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def restrict_calls() -> bool:
    """Install the filter for this process, for good; return whether it took hold."""
    code = _filter()
    if code is None:
        return False
    buffer = ctypes.create_string_buffer(code)
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return int(_libc.prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program), 0, 0)) == 0


def _filter() -> bytes | None:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return None
    column = 0 if machine == "x86_64" else 1
    refuse = _ERRNO | errno.EPERM
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),  # a call under another architecture's numbers
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if column == 0:
        code += [(_JUMP_IF_SET, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for numbers in _DENIED.values():
        code += [(_JUMP_IF_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, refuse)]
    # the C library falls back to clone() when clone3() is "not there", and clone() can be read: threads only
    code += [(_JUMP_IF_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += [
        (_JUMP_IF_EQUAL, 0, 3, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_IF_SET, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)
