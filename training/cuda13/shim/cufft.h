#pragma once
// cuFFT 12 removed three error codes that Jittor's table of error texts names.
#include "@REAL@"
#if CUFFT_VERSION >= 12000 && !defined(CUFFT_INCOMPLETE_PARAMETER_LIST)
#define CUFFT_INCOMPLETE_PARAMETER_LIST ((cufftResult)0xA)
#define CUFFT_PARSE_ERROR ((cufftResult)0xC)
#define CUFFT_LICENSE_ERROR ((cufftResult)0xF)
#endif
