/* Rust's standard library takes random numbers from ProcessPrng in bcryptprimitives.dll. Wine
 * older than 10 has no such DLL, so that no Rust program starts there. This stand-in forwards to
 * RtlGenRandom (exported by advapi32 as SystemFunction036), which those versions do have. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
    while (length > 0) {
        ULONG part = length > 0x40000000 ? 0x40000000 : (ULONG)length;
        if (!SystemFunction036(buffer, part))
            return FALSE;
        buffer += part;
        length -= part;
    }
    return TRUE;
}
