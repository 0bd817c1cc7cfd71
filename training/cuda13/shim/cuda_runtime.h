#pragma once
// CUDA 13 took computeMode and clockRate out of cudaDeviceProp; Jittor's helper_cuda.h (from NVIDIA's samples) still reads them
// when it picks a device. They come back as zeros: compute mode "default", and a clock rate that ranks nothing.
#include "@REAL@"
#if defined(__cplusplus) && CUDART_VERSION >= 13000 && !defined(PAIR_CURATION_CUDA13)
#define PAIR_CURATION_CUDA13
struct pair_curation_cudaDeviceProp : cudaDeviceProp {
    int computeMode = 0;
    int clockRate = 0;
    int memoryClockRate = 0;
    int kernelExecTimeoutEnabled = 0;
};
#define cudaDeviceProp pair_curation_cudaDeviceProp
#endif
