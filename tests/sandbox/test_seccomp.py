"""The filter itself, run by a small machine of ours for both architectures; no kernel needed."""

import errno
import struct

import pytest

from sandbox import seccomp

ALLOW, KILL, REFUSE, UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003
COLUMN = {"x86_64": 0, "aarch64": 1}
NECESSARY = {
    "read": (0, 63),
    "write": (1, 64),
    "openat": (257, 56),
    "close": (3, 57),
    "fstat": (5, 80),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "brk": (12, 214),
    "futex": (202, 98),
    "recvfrom": (45, 207),
    "sendto": (44, 206),
    "epoll_ctl": (233, 21),
    "epoll_pwait": (281, 22),
    "getrandom": (318, 278),
    "clock_gettime": (228, 113),
    "exit_group": (231, 94),
}
GROUPS = (
    seccomp._SOCKETS,
    seccomp._PROCESSES,
    seccomp._IDENTITY,
    seccomp._FILES,
    seccomp._SHARED,
    seccomp._MACHINE,
)
REFUSED = {name: numbers for group in GROUPS for name, numbers in group.items()}


def verdict(machine: str, number: int, *, architecture: int | None = None, first: int = 0, second: int = 0) -> int:
    """Return what the filter for `machine` says to a system call."""
    code = seccomp.program(machine)
    assert code is not None
    data = struct.pack("<IIQQQ", number, architecture or ARCHITECTURE[machine], 0, first, second)
    value, at = 0, 0
    while True:
        operation, if_so, if_not, constant = struct.unpack_from("HBBI", code, at * 8)
        at += 1
        match operation:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, constant)
            case 0x15:
                at += if_so if value == constant else if_not
            case 0x25:
                at += if_so if value > constant else if_not
            case 0x45:
                at += if_so if value & constant else if_not
            case _:
                return constant


@pytest.mark.parametrize("machine", ARCHITECTURE)
@pytest.mark.parametrize("name", REFUSED)
def test_a_call_that_reaches_out_is_refused(machine: str, name: str) -> None:
    number = REFUSED[name][COLUMN[machine]]

    assert verdict(machine, number) == (REFUSE if number != seccomp._ABSENT else UNKNOWN)


@pytest.mark.parametrize("machine", ARCHITECTURE)
def test_what_python_needs_is_allowed(machine: str) -> None:
    verdicts = {name: verdict(machine, numbers[COLUMN[machine]]) for name, numbers in NECESSARY.items()}

    assert verdicts == dict.fromkeys(NECESSARY, ALLOW)


@pytest.mark.parametrize("machine", ARCHITECTURE)
def test_a_call_by_another_architectures_numbers_is_death(machine: str) -> None:
    assert verdict(machine, 0, architecture=I386) == KILL


def test_a_call_by_the_numbers_of_x32_is_death() -> None:
    assert verdict("x86_64", 0x40000000 | 41) == KILL


@pytest.mark.parametrize("machine", ARCHITECTURE)
@pytest.mark.parametrize("number", [435, 463, 500, 100_000])
def test_what_nobody_has_reviewed_does_not_exist(machine: str, number: int) -> None:
    assert verdict(machine, number) == UNKNOWN


@pytest.mark.parametrize("machine", ARCHITECTURE)
def test_descriptors_may_be_controlled_but_not_made_to_signal_others(machine: str) -> None:
    fcntl, ioctl = (numbers[COLUMN[machine]] for numbers in (seccomp._FCNTL, seccomp._IOCTL))

    assert [verdict(machine, fcntl, second=command) for command in (1, 3, 8, 10, 15)] == [ALLOW, ALLOW, *[REFUSE] * 3]
    assert [verdict(machine, ioctl, second=command) for command in (0x5401, 0x8901, 0x5412)] == [ALLOW, REFUSE, REFUSE]


@pytest.mark.parametrize("machine", ARCHITECTURE)
def test_a_process_may_name_itself_but_not_outlive_its_parent_or_be_dumped(machine: str) -> None:
    prctl = seccomp._PRCTL[COLUMN[machine]]

    assert [verdict(machine, prctl, first=option) for option in (15, 1, 4)] == [ALLOW, REFUSE, REFUSE]
    assert verdict(machine, prctl, first=15, second=1) == ALLOW


def test_for_an_unknown_machine_there_is_no_filter() -> None:
    assert seccomp.program("riscv64") is None
