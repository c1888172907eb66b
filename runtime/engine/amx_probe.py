"""Runs AMX tile instructions once and tells how that went. A program of its own: it may die.

python -I -S amx_probe.py      exit 0: they work; 3: refused or not there, with the reason on
                               standard output; death of SIGILL: they do not run
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

EXIT_NO_TILES = 3
TILE_LEAF = 0x1D  # of CPUID: how many tile palettes there are
ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA = 158, 0x1023, 18  # x86-64 Linux

# push rbx; mov eax, edi; mov ecx, esi; cpuid; pop rbx; ret: the answer's eax.
CPUID = bytes.fromhex("53 89f8 89f1 0fa2 5b c3")
# ldtilecfg [rdi]; tilezero tmm0; tilerelease; ret.
TILES = bytes.fromhex("c4e2784907 c4e27b49c0 c4e27849c0 c3")


def ask_for_tiles() -> str | None:
    """Asks the kernel for AMX tiles, for all threads of this process; None, or why it refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0:
        return None
    return f"the kernel refuses the tile permission ({os.strerror(ctypes.get_errno())})"


def main() -> int:
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    memory[: len(CPUID)] = CPUID
    cpuid = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)(address)
    if cpuid(0, 0) < TILE_LEAF or cpuid(TILE_LEAF, 0) == 0:
        print("the processor has no tile palette")
        return EXIT_NO_TILES
    if refusal := ask_for_tiles():
        print(refusal)
        return EXIT_NO_TILES
    memory[: len(TILES)] = TILES
    shape = bytearray(64)
    shape[0], shape[16], shape[48] = 1, 64, 16  # palette 1; tile 0 has 16 rows of 64 bytes
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)(
        ctypes.addressof(ctypes.c_char.from_buffer(shape))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
