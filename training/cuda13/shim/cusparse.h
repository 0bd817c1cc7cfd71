#pragma once
// cuSPARSE 12 dropped the old name of the default algorithm of sparse-times-dense products, which Jittor's cuSPARSE module uses.
#include "@REAL@"
#if CUSPARSE_VERSION >= 12000 && !defined(CUSPARSE_MM_ALG_DEFAULT)
#define CUSPARSE_MM_ALG_DEFAULT CUSPARSE_SPMM_ALG_DEFAULT
#endif
